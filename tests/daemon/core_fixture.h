#pragma once
// A core without its processes: spool and journal in a folder over a FaultFs, a key ring whose keys are made once a
// run, a clock moved by hand. What the daemon's parts do is then seen call by call.

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include "base/unique_fd.h"
#include "conf/config.h"
#include "crypto/key_file.h"
#include "daemon/audit_keys.h"
#include "daemon/core.h"
#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"
#include "tests/support/hooked_fs.h"
#include "tests/support/submission_builder.h"

namespace tpf::daemon::test {

using namespace tpf::queue::test;
using tpf::test::Call;
using tpf::test::FaultFs;
using tpf::test::HookedFs;
using tpf::test::must;
using tpf::test::SubmissionBuilder;

inline crypto::SecretBytes passphrase() {
    return crypto::SecretBytes::copy_of(as_bytes("for tests"));
}

/// The ring, and the other side's keys. Once a process: RSA keys take their time.
struct TestRing {
    TempFolder folder{"/dev/shm"};
    crypto::SigningKey register_signs = crypto::SigningKey::generate();
    std::unique_ptr<crypto::KeyRing> ring =
        must(crypto::KeyRing::open(posix_file_system(), folder.path() / "keyring", passphrase()));
    std::optional<crypto::RsaPublicKey> tpf_key, net_key, register_key;  ///< net_key: of the legacy key NETT

    TestRing() {
        using crypto::KeyKind;
        const UtcTime now{std::chrono::seconds(1800000000)};
        const auto from = std::chrono::floor<std::chrono::days>(now) - std::chrono::days(10);
        const auto to = from + std::chrono::days(400);
        const RegisterName reg = iplos();
        const auto generate = [&](KeyKind kind, const char* id, std::optional<RegisterName> of, unsigned version) {
            must(ring->generate({kind, must(KeyId::parse(id)), std::move(of), version, from, to}, now));
        };
        generate(KeyKind::message, "TPF-2026", std::nullopt, 0);
        must(ring->generate({KeyKind::message, must(KeyId::parse("NETT")), std::nullopt, 0, from, to,
                             must(crypto::KeyPolicy::parse_profile("legacy-net:rsa-1_5")), 2048},
                            now));
        generate(KeyKind::signing, "SIGN-2026", std::nullopt, 0);
        generate(KeyKind::pseudonym, "PSEUDONYM-1", reg, 1);
        register_key = crypto::RsaPrivateKey::generate(3072).public_key();
        must(ring->import({KeyKind::register_, must(KeyId::parse("IPLOS-2026")), reg, register_key->pem(), from, to},
                          now));
        must(ring->import(
            {KeyKind::receipt, must(KeyId::parse("IPLOS-R")), reg, register_signs.verify_key().pem(), from, to}, now));
        const auto file = must(crypto::KeyFile::parse(must(ring->publish({}, now)).content));
        for (const auto& key : file.keys) {
            if (key.owner == "TPF") (key.id.str() == "NETT" ? net_key : tpf_key) = key.key;
        }
    }
    [[nodiscard]] static TestRing& get() {
        static TestRing once;
        return once;
    }
};

inline conf::Config config_for(const Path& folder, const std::string& more) {
    const std::string text =
        "[installation]\nname = \"unit\"\nkind = \"production\"\n[paths]\nspool = \"" + (folder / "spool").string() +
        "\"\njournal = \"" + (folder / "journal" / "journal.db").string() + "\"\nkeyring = \"" +
        (folder / "keyring").string() +
        "\"\n[register.IPLOS]\nurl = \"https://localhost\"\nca_file = \"/ca\"\n"
        "client_certificate = \"/c\"\nclient_key = \"/k\"\n[source.drop]\nkind = \"drop\"\npath = \"" +
        (folder / "drop").string() + "\"\nsender = \"0301-00-974761076\"\nsettle_seconds = 0\n" + more;
    auto config = conf::parse(text);
    if (!config) FAIL(conf::text(config.error()));
    return std::move(config).value();
}

struct CoreFixture {
    explicit CoreFixture(const std::string& settings = {})
        : config(config_for(folder.path(), "[disk]\nreserve_bytes = \"0 B\"\n" + settings)) {}

    TempFolder folder{"/dev/shm"};
    bool made = std::filesystem::create_directory(folder.path() / "drop") &&
                std::filesystem::create_directory(folder.path() / "journal");
    FaultFs fs{folder.path()};
    HookedFs hooked{fs};
    ManualClock clock;
    SwitchedSink sink;
    LiveConfig config;
    std::unique_ptr<queue::Spool> spool = get(queue::Spool::open(hooked, folder.path() / "spool", {}));
    std::unique_ptr<queue::Journal> journal =
        get(queue::Journal::open(folder.path() / "journal" / "journal.db", sink, clock));
    UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    Lifecycle lifecycle{wake.get()};
    MessageLocks locks;
    Metrics metrics;
    RingSigner signer{*TestRing::get().ring};
    Witnesses witnesses{*spool, *journal, *TestRing::get().ring};
    Proposals proposals{hooked, folder.path() / "journal" / kProposalsFile};
    Core core{hooked,    clock, config,  *spool,    *journal, *TestRing::get().ring,
              lifecycle, locks, metrics, witnesses, proposals};

    [[nodiscard]] const queue::Folders& at() const { return spool->folders(); }
    /// Sealed with the ring's own keys; its MeldingsId drawn anew unless told.
    [[nodiscard]] static SubmissionBuilder submission(std::string meldings_id = MeldingsId::random().str()) {
        SubmissionBuilder builder;
        builder.meldings_id = std::move(meldings_id);
        builder.tpf.recipient = tpf::test::Recipient::rsa("TPF-2026", *TestRing::get().tpf_key);
        builder.for_register.recipient = tpf::test::Recipient::rsa("IPLOS-2026", *TestRing::get().register_key);
        return builder;
    }
    SpoolId handed_over(const std::string& document) { return get(hand_over(*spool, document)).id; }
    queue::MessageRow row(const SpoolId& id) {
        auto found = get(journal->find(id));
        REQUIRE(found.has_value());
        return std::move(*found);
    }
    [[nodiscard]] static bool there(const Path& part, const SpoolId& id) {
        return std::filesystem::exists(part / id.view());
    }
};

}  // namespace tpf::daemon::test
