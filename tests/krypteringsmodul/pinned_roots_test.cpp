#include "krypteringsmodul/pinned_roots.h"

#include <doctest/doctest.h>

#include "crypto/key_file_signature.h"
#include "krypteringsmodul/recipient_keys.h"
#include "tests/krypteringsmodul/stage.h"

using namespace tpf;
using namespace tpf::krypteringsmodul;
using namespace tpf::test;

namespace {

/// A sender with pinned roots of TPF and IPLOS, and a key file that both signed.
struct Sender {
    TempFolder folder;
    crypto::SigningKey tpf = crypto::SigningKey::generate(), iplos = crypto::SigningKey::generate();
    std::string content = key_file().write();

    Sender() {
        spill(folder / "rot.txt",
              crypto::root_line("TPF", tpf.verify_key()) + crypto::root_line("IPLOS", iplos.verify_key()));
        publish(content);
    }
    void publish(const std::string& text) {
        content = text;
        spill(folder / "nokler.xml", content);
        sign({{"TPF", crypto::sign_key_file(tpf, "TPF", content)},
              {"IPLOS", crypto::sign_key_file(iplos, "IPLOS", content)}});
    }
    void sign(const crypto::KeyFileSignatures& signatures) {
        spill(folder / "nokler.xml.sig", crypto::write_signatures(signatures));
    }
    std::string told() {
        const auto loaded = load_key_file(posix_file_system(), folder / "nokler.xml", folder / "rot.txt");
        return loaded ? "" : loaded.error().detail();
    }
    void edition(std::optional<unsigned> number) {
        auto keys = key_file();
        keys.edition = number;
        publish(keys.write());
    }
};

}  // namespace

TEST_SUITE_BEGIN("krypteringsmodul/pinned_roots");

TEST_CASE_FIXTURE(Sender, "a key file that every pinned owner signed is taken, in whatever encoding it was signed") {
    CHECK(told().empty());
    publish(must(to_utf8(content)));
    CHECK(told().empty());
    spill(folder / "rot.txt", "TPF " + base64(tpf.verify_key().raw()) + "\r\n\r\n");
    CHECK(told().empty());
}

TEST_CASE_FIXTURE(Sender, "without a signature, or with another one, it is not") {
    const auto good_tpf = crypto::sign_key_file(tpf, "TPF", content);
    const auto good_iplos = crypto::sign_key_file(iplos, "IPLOS", content);
    std::filesystem::remove(folder / "nokler.xml.sig");
    CHECK(told().starts_with("Feil: Nøkkelfilen er ikke signert: signaturfilen (.sig) mangler. Hent "));
    sign({{"TPF", good_tpf}});
    CHECK(told().starts_with("Feil: Nøkkelfilen er ikke signert av IPLOS."));
    const char* swapped =
        "Feil: Signaturen fra TPF på nøkkelfilen er ikke gyldig: noen kan ha byttet filen. Bruk den ikke.";
    sign({{"TPF", crypto::sign_key_file(iplos, "TPF", content)}, {"IPLOS", good_iplos}});
    CHECK(told().starts_with(swapped));
    // A signature for another owner, or over other bytes.
    sign({{"TPF", crypto::sign_key_file(tpf, "IPLOS", content)}, {"IPLOS", good_iplos}});
    CHECK(told().starts_with(swapped));
    sign({{"TPF", crypto::sign_key_file(tpf, "TPF", content + " ")}, {"IPLOS", good_iplos}});
    CHECK(told().starts_with(swapped));
    sign({{"TPF", good_tpf}, {"IPLOS", good_iplos}});
    CHECK(told().empty());
    // One byte of the file.
    std::string changed = content;
    changed[changed.size() - 2] = ' ';  // the final line feed
    spill(folder / "nokler.xml", changed);
    CHECK(told().starts_with("Feil: Signaturen fra IPLOS på nøkkelfilen er ikke gyldig"));
    for (const char* bad : {"TPF", "TPF x", "tpf AAAA", "TPF AAAA"}) {
        spill(folder / "nokler.xml", content);
        spill(folder / "nokler.xml.sig", bad);
        CHECK(told().starts_with("Feil: Nøkkelfilens signaturfil (.sig) er ikke gyldig."));
    }
    spill(folder / "nokler.xml.sig",
          crypto::write_signatures({{"TPF", good_tpf}}) + crypto::write_signatures({{"TPF", good_tpf}}));
    CHECK(told().starts_with("Feil: Nøkkelfilens signaturfil (.sig) er ikke gyldig."));
}

TEST_CASE_FIXTURE(Sender, "a file without a key of anybody who is pinned is nobody's, and no edition to remember") {
    auto keys = key_file();
    for (auto& key : keys.keys) key.owner = "XYZ";
    keys.edition = 999;
    publish(keys.write());
    CHECK(told().starts_with("Feil: Nøkkelfilen har ingen nøkkel fra noen i filen med rotnøkler (--rot)"));
    CHECK_FALSE(std::filesystem::exists(folder / "rot.txt.utgave"));
    edition(3);
    CHECK(told().empty());
}

TEST_CASE_FIXTURE(Sender, "roots that cannot be read are not no roots") {
    std::filesystem::remove(folder / "rot.txt");
    CHECK(told() == "Feil: Filen med rotnøkler (--rot) kunne ikke leses.");
    for (const char* bad : {"", "TPF\n", "TPF AAAA\n"}) {
        spill(folder / "rot.txt", bad);
        CHECK(told().starts_with("Feil: Filen med rotnøkler (--rot) er ikke gyldig."));
    }
    // Pinned for the register alone: TPF's keys are taken as before.
    spill(folder / "rot.txt", crypto::root_line("IPLOS", iplos.verify_key()));
    sign({{"IPLOS", crypto::sign_key_file(iplos, "IPLOS", content)}});
    CHECK(told().empty());
}

TEST_CASE_FIXTURE(Sender, "a lower edition than last used is refused, and only a good file counts as used") {
    CHECK(told().empty());  // 3
    CHECK(read_whole(folder / "rot.txt.utgave") == "3\n");
    edition(2);
    CHECK(told().starts_with("Feil: Nøkkelfilen er eldre (utgave 2) enn den som sist ble brukt (utgave 3). Hent "));
    edition(std::nullopt);
    CHECK(told().starts_with("Feil: Nøkkelfilen er eldre (utgave 0) enn"));
    edition(9);
    sign({});
    CHECK_FALSE(told().empty());
    CHECK(read_whole(folder / "rot.txt.utgave") == "3\n");
    edition(4);
    CHECK(told().empty());
    CHECK(told().empty());
    CHECK(read_whole(folder / "rot.txt.utgave") == "4\n");
    for (const char* bad : {"", "x\n", "4", "-1\n"}) {
        spill(folder / "rot.txt.utgave", bad);
        CHECK(told().find("er ikke gyldig. Den har nummeret på siste utgave") != std::string::npos);
    }
}

TEST_SUITE_END();
