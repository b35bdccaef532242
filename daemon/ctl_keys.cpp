#include "daemon/ctl_keys.h"

#include "base/encoding.h"
#include "daemon/ctl_backup.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_root.h"

namespace tpf::daemon {
namespace {

int publish(Ctl& ctl) {
    const auto answer = ask(ctl, "keys publish");
    if (!answer) return show_error(ctl, answer.error());
    const auto content = from_base64(answer.value().result.value("file", ""));
    if (!content) return show_error(ctl, content.error());
    const auto written = write_atomically(posix_file_system(), ctl.out, as_text(content.value()), 0644);
    if (!written) return show_error(ctl, written.error());
    ControlAnswer shown = answer.value();
    shown.result.erase("file");
    shown.result["file"] = ctl.out;
    show(ctl, shown, print_plain);
    return 0;
}

int signing_key(Ctl& ctl) {
    const auto answer = ask(ctl, "keys signing");
    if (!answer) return show_error(ctl, answer.error());
    const auto written = write_atomically(posix_file_system(), ctl.out, answer.value().result.value("pem", ""), 0644);
    if (!written) return show_error(ctl, written.error());
    ControlAnswer shown = answer.value();
    shown.result = {{"file", ctl.out}};
    show(ctl, shown, print_plain);
    return 0;
}

int import_key(Ctl& ctl) {
    if (ctl.files.empty() != ctl.args.contains("credential")) {
        return show_error(ctl,
                          fail(Code::usage, "a register's key comes in a PEM file, a pseudonym key in a credential",
                               "give FILE, or --credential NAME")
                              .error());
    }
    if (ctl.files.empty()) return plain(ctl, "keys import", print_key);
    const auto pem = read_small(posix_file_system(), ctl.files.front(), 65536);
    if (!pem) return show_error(ctl, pem.error());
    ctl.args["pem"] = pem.value();
    return plain(ctl, "keys import", print_key);
}

int check_keys(Ctl& ctl) {
    const auto answer = ask(ctl, "keys check");
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_key_check);
    return answer.value().result.value("good", false) ? 0 : 1;
}

void add_states(CLI::App& keys, Ctl& ctl) {
    CLI::App* activate = verb(keys, ctl, "activate", "publish a key and take it into use",
                              [](Ctl& c) { return plain(c, "keys activate", print_key); });
    CLI::App* accept = verb(keys, ctl, "accept", "publish a key no longer, but take what arrives under it",
                            [](Ctl& c) { return plain(c, "keys accept", print_key); });
    CLI::App* retire = verb(keys, ctl, "retire", "refuse what comes under a key, but keep it",
                            [](Ctl& c) { return plain(c, "keys retire", print_key); });
    CLI::App* destroy = verb(keys, ctl, "destroy", "remove a key for ever: one operator asks, another one confirms",
                             [](Ctl& c) { return plain(c, "keys destroy", print_key); });
    CLI::App* resume = verb(keys, ctl, "resume", "take messages again under a legacy key that failures suspended",
                            [](Ctl& c) { return plain(c, "keys resume", print_key); });
    for (CLI::App* sub : {activate, accept, retire, destroy, resume}) {
        text(sub, ctl, "id", "id", "key id")->required();
        text(sub, ctl, "--reason", "reason", "why, for the audit log")->required();
    }
    flag(destroy, ctl, "--confirm", "confirm", "as the second operator, within 24 hours");
}

}  // namespace

void add_keys(CLI::App& app, Ctl& ctl) {
    CLI::App* keys = app.add_subcommand("keys", "the key ring");
    keys->require_subcommand(1)->fallthrough();
    verb(*keys, ctl, "list", "all keys", [](Ctl& c) { return plain(c, "keys list", print_keys); });
    CLI::App* show_sub = verb(*keys, ctl, "show", "all that is known of one key",
                              [](Ctl& c) { return plain(c, "keys show", print_key); });
    text(show_sub, ctl, "id", "id", "key id")->required();
    CLI::App* check =
        verb(*keys, ctl, "check", "open every key file anew and prove it against its check value", check_keys);
    text(check, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    add_states(*keys, ctl);
    add_backup(*keys, ctl);
    add_root(*keys, ctl);
    CLI::App* generate =
        verb(*keys, ctl, "generate", "make a key", [](Ctl& c) { return plain(c, "keys generate", print_key); });
    text(generate, ctl, "--kind", "kind", "message, pseudonym or signing")->required();
    CLI::App* import =
        verb(*keys, ctl, "import", "take in a register's public key (PEM), or a pseudonym key that exists", import_key);
    text(import, ctl, "--kind", "kind", "register (for persons' data), receipt (for its signature) or pseudonym")
        ->required();
    import->add_option("file", ctl.files, "PEM file")->expected(1);
    text(import, ctl, "--credential", "credential",
         "of tpfd.service, with a pseudonym key: 32 bytes, or their hex digits");
    for (CLI::App* sub : {generate, import}) {
        text(sub, ctl, "--id", "id", "key id")->required();
        text(sub, ctl, "--register", "register", "the register it belongs to");
        text(sub, ctl, "--from", "from", "first day, YYYY-MM-DD (default today)");
        text(sub, ctl, "--to", "to", "last day, YYYY-MM-DD");
        flag(sub, ctl, "--prepared", "prepared", "not used until `keys activate`");
        text(sub, ctl, "--reason", "reason", "why, for the audit log")->required();
        text(sub, ctl, "--profile", "profile", "modern (default), legacy-net:rsa-1_5 or legacy-net:rsa-oaep-mgf1p");
    }
    for (CLI::App* sub : {generate, import}) {
        number(sub, ctl, "--version", "version", "version of a pseudonym key (default 1)");
        text(sub, ctl, "--place", "place", "where its secret lies: file (default), token, or wrapped by the token");
    }
    number(generate, ctl, "--bits", "bits", "size of an RSA key (default 3072)");
    CLI::App* publish_sub = verb(*keys, ctl, "publish", "write the senders' key file", publish);
    publish_sub->add_option("--out", ctl.out, "file to write")->required();
    text(publish_sub, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    CLI::App* signing =
        verb(*keys, ctl, "signing", "write the public half of the core's signing key, for the registers", signing_key);
    text(signing, ctl, "--id", "id", "of this key (default: the one in use)");
    signing->add_option("--out", ctl.out, "PEM file to write")->required();
    number(publish_sub, ctl, "--edition", "edition", "utgave (default: the one after the last)");
}

}  // namespace tpf::daemon
