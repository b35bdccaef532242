#include <CLI/CLI.hpp>
#include <iostream>

#include "base/log.h"
#include "register/decrypt.h"
#include "register/keys.h"
#include "register/list.h"
#include "register/passphrase.h"
#include "register/server.h"

namespace {

using namespace tpf;

constexpr int kFailed = 1;
constexpr int kUsage = 2;

/// All that the command line can say; each subcommand reads its own.
struct Options {
    std::string reg, listen = "127.0.0.1:8443", store;
    reg::TlsFiles tls;
    std::vector<std::string> core_keys, faults, log_origins;
    std::string receipt_key, port_file, log_level = "info";
    std::uint64_t fault_seed = 0, max_bytes = std::uint64_t{1} << 40;
    unsigned threads = 2, max_connections = 256, max_deliveries = 64;
    bool test_installation = false, json = false;
    std::string private_key, message, profile = "modern";
    std::string id, folder;
    std::size_t bits = 3072;
    reg::PassphraseSource passphrase;
};

Status read_listen(const std::string& text, reg::ServerSettings& settings) {
    const std::size_t colon = text.rfind(':');
    unsigned port = 0;
    const bool number = colon != std::string::npos && CLI::detail::lexical_cast(text.substr(colon + 1), port);
    if (!number || port > 65535) return fail(Code::usage, "--listen is not ADDRESS:PORT");
    settings.host = text.substr(0, colon);
    if (settings.host.size() > 2 && settings.host.front() == '[')
        settings.host = settings.host.substr(1, settings.host.size() - 2);
    settings.port = static_cast<std::uint16_t>(port);
    return ok();
}

Result<std::vector<crypto::VerifyKey>> read_core_keys(const std::vector<std::string>& paths) {
    std::vector<crypto::VerifyKey> keys;
    for (const std::string& path : paths) {
        TPF_TRY(const std::string pem, read_small(posix_file_system(), path, 64 * 1024));
        TPF_TRY(auto key, crypto::VerifyKey::from_pem(pem));
        keys.push_back(key);
    }
    return keys;
}

Status run_serve(const Options& options) {
    TPF_TRY(const auto level, log::parse_level(options.log_level));
    log::init("tpf-register", level);
    log::set_installation(options.test_installation ? Installation::test : Installation::production);
    TPF_TRY(const RegisterName name, RegisterName::parse(options.reg));
    TPF_TRY(auto core_keys, read_core_keys(options.core_keys));
    reg::ServerSettings settings{.tls = options.tls,
                                 .rules = {name, std::move(core_keys), options.max_bytes},
                                 .threads = options.threads,
                                 .max_connections = options.max_connections,
                                 .max_deliveries = options.max_deliveries,
                                 .port_file = options.port_file};
    TPF_TRY(read_listen(options.listen, settings));
    reg::FaultPlan faults;
    for (const std::string& fault : options.faults) {
        TPF_TRY(faults.add(fault));
    }
    faults.seed(options.fault_seed);
    TPF_TRY(const auto passphrase, reg::read_passphrase(options.passphrase));
    TPF_TRY(const auto receipt_key, reg::load_signing_key(posix_file_system(), options.receipt_key, passphrase));
    TPF_TRY(const auto store, reg::Store::open(posix_file_system(), options.store));
    const reg::LogWitnessSettings watched{name, receipt_key, settings.rules.core_keys, options.log_origins};
    TPF_TRY(const auto witness, reg::LogWitness::open(posix_file_system(), options.store, watched, system_clock()));
    settings.witness = witness.get();
    return reg::serve(settings, {name, receipt_key, *store, system_clock()}, faults);
}

Result<bool> run_decrypt(const Options& options) {
    TPF_TRY(const auto policy, crypto::KeyPolicy::parse_profile(options.profile));
    TPF_TRY(const auto passphrase, reg::read_passphrase(options.passphrase));
    TPF_TRY(const auto key, reg::load_data_key(posix_file_system(), options.private_key, passphrase));
    TPF_TRY(const auto summary,
            reg::decrypt(posix_file_system(), options.message, {key, policy, options.json}, std::cout));
    if (summary.failed > 0) {
        std::cerr << "error: " << summary.failed << " of " << summary.persons << " persons could not be opened\n";
    }
    return summary.failed == 0;
}

Status run_keys(const Options& options) {
    TPF_TRY(const auto name, RegisterName::parse(options.reg));
    TPF_TRY(const auto id, KeyId::parse(options.id));
    TPF_TRY(const auto passphrase, reg::read_passphrase(options.passphrase));
    TPF_TRY(const auto made, reg::make_keys(posix_file_system(), options.folder, id, options.bits, passphrase));
    std::cout << "register " << name.str() << ", key " << id.str() << "\n"
              << "keep secret:  " << made.data_private.string() << "\n"
              << "              " << made.receipt_private.string() << "\n"
              << "give the TPF: " << made.data_public.string() << "\n"
              << "              " << made.receipt_public.string() << "\n";
    return ok();
}

int report(const Status& status) {
    if (status) return 0;
    std::cerr << "error: " << status.error().text() << "\nhint: " << status.error().hint() << "\n";
    return status.error().code() == Code::usage ? kUsage : kFailed;
}

void add_passphrase(CLI::App& command, Options& options) {
    auto* fd = command.add_option("--passphrase-fd", options.passphrase.fd,
                                  "read the private key's passphrase from this file descriptor");
    command
        .add_option("--passphrase-credential", options.passphrase.credential,
                    "or from this credential in $CREDENTIALS_DIRECTORY")
        ->excludes(fd);
}

CLI::App* add_serve(CLI::App& app, Options& options) {
    auto* serve = app.add_subcommand("serve", "receive messages over mutual TLS 1.3");
    serve->add_option("--listen", options.listen, "ADDRESS:PORT; port 0: any free one")->capture_default_str();
    serve->add_option("--register", options.reg, "the register's name")->required();
    serve->add_option("--store", options.store, "folder for what is received")->required();
    serve->add_option("--certificate", options.tls.certificate, "PEM, the server's certificate chain")->required();
    serve->add_option("--key", options.tls.key, "PEM, the certificate's private key")->required();
    serve->add_option("--client-ca", options.tls.client_ca, "PEM, who signs clients' certificates")->required();
    serve->add_option("--tpf-key", options.core_keys, "PEM, the core's Ed25519 public key; may be repeated")
        ->required();
    serve->add_option("--receipt-key", options.receipt_key, "PEM, this register's Ed25519 private key")->required();
    serve->add_option("--log-origin", options.log_origins,
                      "an audit log to witness, by its origin; may be repeated (default: the first one that comes)");
    serve->add_option("--threads", options.threads, "threads")->check(CLI::Range(1, 256))->capture_default_str();
    serve->add_option("--max-bytes", options.max_bytes, "largest message, bytes")->capture_default_str();
    serve->add_option("--max-connections", options.max_connections, "connections at a time")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    serve->add_option("--max-deliveries", options.max_deliveries, "bodies received at a time")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    serve->add_option("--port-file", options.port_file, "the port is written here once the server listens");
    serve->add_option("--log-level", options.log_level, "debug, info, warning or error")->capture_default_str();
    serve->add_flag("--test-installation", options.test_installation,
                    "say in every line of the log that this is a test installation");
    serve->add_option("--fault", options.faults, "for tests: KIND, KIND:N or KIND:P%; may be repeated");
    serve->add_option("--fault-seed", options.fault_seed, "for tests: where the draws for KIND:P% begin")
        ->capture_default_str();
    add_passphrase(*serve, options);
    return serve;
}

CLI::App* add_decrypt(CLI::App& app, Options& options) {
    auto* decrypt = app.add_subcommand("decrypt", "open a pseudonymised message person by person");
    decrypt->add_option("--private-key", options.private_key, "PKCS#8 PEM, the register's RSA private key")->required();
    decrypt->add_option("--profile", options.profile, "modern, legacy-net:rsa-1_5 or legacy-net:rsa-oaep-mgf1p")
        ->capture_default_str();
    decrypt->add_flag("--json", options.json, "one JSON object a line");
    decrypt->add_option("message", options.message, "the message")->required();
    add_passphrase(*decrypt, options);
    return decrypt;
}

CLI::App* add_keys(CLI::App& app, Options& options) {
    auto* keys = app.add_subcommand("keys", "make the register's key pairs");
    keys->add_option("--register", options.reg, "the register's name")->required();
    keys->add_option("--id", options.id, "the key's id, as senders will name it")->required();
    keys->add_option("--out", options.folder, "folder for the four files")->required();
    keys->add_option("--bits", options.bits, "RSA bits")->capture_default_str();
    add_passphrase(*keys, options);
    return keys;
}

CLI::App* add_list(CLI::App& app, Options& options) {
    auto* list = app.add_subcommand("list", "what the store holds");
    list->add_option("--store", options.store, "the store's folder")->required();
    list->add_flag("--json", options.json, "one JSON object a line");
    return list;
}

int run(int argc, char** argv) {
    CLI::App app("The reference register: receives pseudonymised messages, and opens them.", "tpf-register");
    app.require_subcommand(1);
    Options options;
    const auto* serve = add_serve(app, options);
    const auto* decrypt = add_decrypt(app, options);
    const auto* keys = add_keys(app, options);
    const auto* list = add_list(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    if (*serve) return report(run_serve(options));
    if (*keys) return report(run_keys(options));
    if (*list) return report(reg::list_messages(posix_file_system(), options.store, options.json, std::cout));
    if (!*decrypt) return kUsage;
    const auto all_opened = run_decrypt(options);
    if (!all_opened) return report(fail(all_opened.error()));
    return all_opened.value() ? 0 : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception&) {
        std::cerr << "error: a fault in this program\n";
        return kFailed;
    }
}
