// Whole runs: what is written, to the byte; that both layers open; that nothing is left when anything goes wrong.

#include "krypteringsmodul/encrypt.h"

#include <doctest/doctest.h>

#include "krypteringsmodul/recipient_keys.h"
#include "tests/krypteringsmodul/stage.h"
#include "tests/support/fault_fs.h"
#include "tests/support/pass_harness.h"

using namespace tpf;
using namespace tpf::test;
using namespace tpf::krypteringsmodul;

TEST_SUITE_BEGIN("krypteringsmodul/encrypt");

namespace {

const std::string kTwo =
    document(kHeader, person("13097248022", "\r\n<A b='1'>\xc3\xa5 &amp;</A> ") + person(" x&lt;&#38; ", ""));
constexpr std::string_view kChanged =
    "Feil: IPLOS filen ble endret mens den ble lest. Kjør krypteringen på nytt når filen er ferdig skrevet.";

std::string reference(std::size_t position) {
    return "<i:Ref xmlns:i=\"urn:tpf:innsending:1\" meldingsId=\"7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11\" person=\"" +
           std::to_string(position) + "\"/>";
}

/// Hands everything through; `on_rewind` runs when the export is read for the second time.
class RewindFs final : public FileSystem {
  public:
    explicit RewindFs(std::function<void()> on_rewind) : on_rewind_(std::move(on_rewind)) {}
    Result<std::unique_ptr<File>> open_read(const Path& path) override {
        TPF_TRY(auto file, real_.open_read(path));
        return std::unique_ptr<File>(std::make_unique<Handle>(std::move(file), *this));
    }
    Result<std::unique_ptr<File>> create(const Path& path, mode_t mode) override { return real_.create(path, mode); }
    Result<FileInfo> info(const Path& path) override { return real_.info(path); }
    Result<FileInfo> info(const File& file) override { return real_.info(*dynamic_cast<const Handle&>(file).real); }
    Status make_folder(const Path& path, mode_t mode) override { return real_.make_folder(path, mode); }
    Result<std::vector<std::string>> list(const Path& folder) override { return real_.list(folder); }
    Status rename(const Path& from, const Path& to) override { return real_.rename(from, to); }
    Status replace(const Path& from, const Path& to) override { return real_.replace(from, to); }
    Status sync_folder(const Path& folder) override { return real_.sync_folder(folder); }
    Status remove_file(const Path& path) override { return real_.remove_file(path); }
    Status remove_tree(const Path& path) override { return real_.remove_tree(path); }
    Result<std::uint64_t> free_bytes(const Path& path) override { return real_.free_bytes(path); }

  private:
    struct Handle final : File {
        Handle(std::unique_ptr<File> file, RewindFs& owner_) : real(std::move(file)), owner(owner_) {}
        Result<std::size_t> read(std::span<std::uint8_t> to) override { return real->read(to); }
        Status write(std::span<const std::uint8_t> from) override { return real->write(from); }
        Status sync() override { return real->sync(); }
        void start_writeback() noexcept override { real->start_writeback(); }
        Status seek(std::uint64_t offset) override {
            owner.on_rewind_();
            return real->seek(offset);
        }
        std::unique_ptr<File> real;
        RewindFs& owner;
    };
    FileSystem& real_ = posix_file_system();
    std::function<void()> on_rewind_;
};

/// The same length and, to the second, the same time of change.
void change_in_place(const Path& path, std::string_view from, std::string_view to) {
    const auto time = std::filesystem::last_write_time(path);
    spill(path, replaced(read_whole(path), from, to));
    std::filesystem::last_write_time(path, time);
}

}  // namespace

TEST_CASE("what is written, to the byte") {
    Stage stage(kTwo);
    REQUIRE(stage.told() == "");
    const Opened opened = open_submission(read_whole(stage.output()));
    const std::string clear =
        "<i:MeldingsId>7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11</i:MeldingsId><i:Meldingstype>IPLOS</i:Meldingstype>"
        "<i:Avsender><i:Kommunenummer>0301</i:Kommunenummer><i:Bydelsnummer>00</i:Bydelsnummer>"
        "<i:Organisasjonsnummer>974761076</i:Organisasjonsnummer></i:Avsender>"
        "<i:Mottaker><i:Register>IPLOS</i:Register></i:Mottaker>";
    CHECK(
        opened.outside ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<i:Innsending xmlns:i=\"urn:tpf:innsending:1\" versjon=\"1\">" +
            clear +
            "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" "
            "Type=\"http://www.w3.org/2001/04/xmlenc#Content\">"
            "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>"
            "<ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey>"
            "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#rsa-oaep\">"
            "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>"
            "<xenc11:MGF xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" "
            "Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/></xenc:EncryptionMethod>"
            "<ds:KeyInfo><ds:KeyName>TPF-2026</ds:KeyName></ds:KeyInfo>"
            "<xenc:CipherData><xenc:CipherValue></xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
            "<xenc:CipherData><xenc:CipherValue></xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
            "</i:Innsending>\n");
    CHECK(opened.head == "<i:Hode>" + clear +
                             "<i:Opprettet>2027-01-04T09:30:00Z</i:Opprettet></i:Hode>"
                             "<i:Kontaktperson><i:Epost>kari@kommune.example</i:Epost><i:Navn>Kari &amp; "
                             "&lt;Nordmann&gt;</i:Navn><i:Mobiltelefon>+4799999999</i:Mobiltelefon></i:Kontaktperson>"
                             "<i:Periode><i:Fra>2026-01-01</i:Fra><i:Til>2026-12-31</i:Til></i:Periode>"
                             "<i:AntallPersoner>2</i:AntallPersoner>");
    REQUIRE(opened.persons.size() == 2);
    CHECK(opened.persons[0].number == "13097248022");
    CHECK(opened.persons[0].content == reference(1) + "\r\n<A b='1'>\xc3\xa5 &amp;</A> ");
    CHECK(opened.persons[1].number == "x&lt;&amp;");
    CHECK(opened.persons[1].content == reference(2));
    CHECK(stage.left() == std::vector<std::string>{"kryptert.xml"});
    CHECK(must(posix_file_system().info(stage.output())).mode == 0640);
}

TEST_CASE("the older key transport says so in both layers") {
    Stage stage(kTwo);
    auto job = stage.job();
    job.transport = crypto::KeyTransport::oaep_mgf1p_sha1;
    REQUIRE(stage.run(posix_file_system(), job));
    const std::string text = read_whole(stage.output());
    CHECK(
        text.find("<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\">"
                  "<ds:DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/></xenc:EncryptionMethod>") !=
        std::string::npos);
    CHECK(open_submission(text, job.transport).persons.size() == 2);
}

TEST_CASE("the TPF's own pass takes it, and the register's part is carried on") {
    Stage stage(kTwo);
    REQUIRE(stage.told() == "");
    TestKeys keys;
    keys.message_keys.insert_or_assign(
        "TPF-2026", crypto::KeyRing::MessageKey{std::make_shared<crypto::RsaPrivateKey>(tpf_key()),
                                                crypto::KeyPolicy::modern(), tpf_key().public_key().modulus_bytes()});
    keys.rules.installation = Installation::production;
    const PassAnswer answer = run_pass(keys, read_whole(stage.output()));
    CHECK(answer.name() == "OK");
    REQUIRE(answer.report);
    std::size_t at = answer.output.find("<p:Person>");
    CHECK(open_sealed(answer.output, register_key(), at) == reference(1) + "\r\n<A b='1'>\xc3\xa5 &amp;</A> ");
    CHECK(answer.output.find("feil=\"E31\"", at) != std::string::npos);
}

TEST_CASE("many persons keep their order, whatever waits for whom") {
    std::string persons;
    const auto content = [](std::size_t i) { return "<A>" + std::string(i % 97 == 0 ? 300'000 : i * 7, 'x') + "</A>"; };
    for (std::size_t i = 1; i <= 400; ++i) persons += person("nr" + std::to_string(i), content(i));
    Stage stage(document(kHeader, persons));
    auto job = stage.job();
    job.workers = 3;
    const auto count = stage.run(posix_file_system(), job);
    REQUIRE(count);
    CHECK(count.value() == 400);
    const Opened opened = open_submission(read_whole(stage.output()));
    REQUIRE(opened.persons.size() == 400);
    for (std::size_t i = 1; i <= 400; ++i) {
        CHECK(opened.persons[i - 1].number == "nr" + std::to_string(i));
        CHECK((opened.persons[i - 1].content == reference(i) + content(i)));
    }
}

TEST_CASE("no persons, and one very large one") {
    Stage none(document(kHeader, ""));
    REQUIRE(none.told() == "");
    CHECK(open_submission(read_whole(none.output())).head.ends_with("<i:AntallPersoner>0</i:AntallPersoner>"));

    const std::string content = "<A>" + std::string(std::size_t{3} << 20, 'y') + "</A>";
    Stage large(document(kHeader, person("", content)));
    REQUIRE(large.told() == "");
    CHECK((open_submission(read_whole(large.output())).persons.at(0).content == reference(1) + content));
}

TEST_CASE("a change between the two readings is an error, and leaves the old output alone") {
    const std::string text = document(kHeader, person("1", "<A>gammel</A>") + person("2", "<B/>"));
    const auto told_after = [&](const std::function<void(const Path&)>& change) {
        Stage stage(text);
        spill(stage.output(), "forrige");
        RewindFs fs([&] { change(stage.export_file()); });
        const std::string told = stage.told(fs);
        CHECK(stage.left() == std::vector<std::string>{"kryptert.xml"});
        CHECK((told.empty() || read_whole(stage.output()) == "forrige"));
        return told;
    };
    CHECK(told_after([](const Path&) {}) == "");
    CHECK(told_after([](const Path& path) { change_in_place(path, "gammel", "nyere!"); }) == kChanged);
    CHECK(told_after([](const Path& path) { change_in_place(path, "<B/>", "<B>>"); }) == kChanged);
    CHECK(told_after([&](const Path& path) { spill(path, text + " "); }) == kChanged);
    CHECK(told_after([&](const Path& path) { spill(path, ""); }) == kChanged);
    CHECK(told_after([&](const Path& path) { spill(path, document(kHeader, person("1", ""))); }) == kChanged);
    CHECK(told_after([&](const Path& path) { spill(path, document("", "")); }) == kChanged);
    CHECK(told_after([&](const Path& path) {
              std::filesystem::remove(path);
              spill(path, text);
          }) == kChanged);
}

TEST_CASE("whatever call fails, nothing is left and the old output stays") {
    std::string persons;
    for (int i = 0; i < 120; ++i) persons += person("", std::string(20'000, 'x'));
    const std::string text = document(kHeader, persons);
    std::uint64_t calls = 0;
    for (std::uint64_t n = 1;; ++n) {
        Stage stage(text);
        spill(stage.output(), "forrige");
        FaultFs fs(stage.folder.path());
        fs.fail_at(n, Code::disk_full);
        const std::string told = stage.told(fs);
        if (fs.fired().empty()) {
            CHECK(told == "");
            break;
        }
        CAPTURE(fs.fired());
        ++calls;
        if (told.empty()) {
            // The name was looked at before it was written: that may fail without harm.
            CHECK(fs.fired().starts_with("info"));
            continue;
        }
        CHECK((told.starts_with("Feil: ") || told == "IPLOS filen kunne ikke åpnes."));
        const bool renamed = fs.fired().starts_with("sync_folder");
        CHECK(stage.left() == (renamed ? std::vector<std::string>{} : std::vector<std::string>{"kryptert.xml"}));
        if (!renamed) CHECK(read_whole(stage.output()) == "forrige");
    }
    CHECK(calls > 20);
}

TEST_CASE("what stops a run before it began") {
    Stage stage(kTwo);
    auto job = stage.job();
    const auto told = [&](const crypto::KeyFile& keys) {
        const auto done = stage.run(posix_file_system(), job, keys);
        CHECK(stage.left().empty());
        return done ? std::string() : done.error().detail();
    };
    job.export_file = stage.folder / "finnes-ikke.xml";
    CHECK(told(key_file()) == "IPLOS filen kunne ikke åpnes.");
    job.export_file = stage.folder.path();
    CHECK(told(key_file()) == "IPLOS filen kunne ikke åpnes.");
    job = stage.job();
    job.output = stage.export_file();
    CHECK(told(key_file()) == "Feil: Den krypterte filen kan ikke ha samme navn som IPLOS filen.");
    CHECK(read_whole(stage.export_file()) == kTwo);
    job.output = stage.folder.path();
    CHECK(told(key_file()) == "Feil: Navnet på den krypterte filen er en mappe.");
    job.output = stage.folder / "finnes-ikke" / "ut.xml";
    CHECK(told(key_file()) == "Feil: Den krypterte filen kunne ikke opprettes: filen eller mappen finnes ikke.");
    job = stage.job();
    stage.interrupted = true;
    CHECK(told(key_file()) == "Feil: Kjøringen ble avbrutt. Ingen kryptert fil er laget.");
    stage.interrupted = false;

    crypto::KeyFile keys = key_file();
    keys.keys.pop_back();
    CHECK(told(keys) ==
          "Feil: Nøkkelfilen har ingen nøkkel for IPLOS som er gyldig i dag (2027-01-04). Hent ny nøkkelfil der TPF "
          "publiserer den; den fornyes hver 1. desember.");
    keys = key_file();
    keys.keys[0] = published("TPF-2026", "TPF", tpf_key(), "2025-12-01", "2027-01-03");
    CHECK(told(keys).starts_with("Feil: Nøkkelfilen har ingen nøkkel for TPF som er gyldig i dag (2027-01-04)."));
}

TEST_CASE("the newest valid modern key is taken") {
    const auto day = must(parse_date("2027-01-04"));
    crypto::KeyFile keys;
    const auto legacy = must(crypto::KeyPolicy::legacy_net(crypto::KeyTransport::rsa_1_5));
    keys.keys = {published("gammel", "TPF", tpf_key(), "2025-12-01", "2028-01-01"),
                 published("ny", "TPF", tpf_key(), "2026-12-01", "2028-01-01"),
                 published("neste", "TPF", tpf_key(), "2027-01-05", "2028-01-01"),
                 published("gaatt-ut", "TPF", tpf_key(), "2026-12-15", "2027-01-03"),
                 published("net", "TPF", tpf_key(), "2026-12-20", "2028-01-01", legacy),
                 published("kpr", "KPR", register_key(), "2026-12-20", "2028-01-01", legacy)};
    const auto found = recipient_key(keys, "TPF", day);
    REQUIRE(found);
    CHECK(found.value().id.str() == "ny");
    CHECK(!recipient_key(keys, "KPR", day));
}

TEST_CASE("key files in both encodings, whatever the name; broken ones") {
    TempFolder folder;
    const std::string utf16 = key_file().write();
    const std::string utf8 = must(to_utf8(utf16));
    const std::string declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + utf8;
    for (const std::string& content : {utf16, utf8, declared, "\xef\xbb\xbf" + declared}) {
        spill(folder / "nokler.txt", content);
        const auto loaded = load_key_file(posix_file_system(), folder / "nokler.txt");
        REQUIRE(loaded);
        CHECK(loaded.value().keys.keys.size() == 2);
        CHECK(loaded.value().digest == sha256(content));
    }
    const auto told = [&](const char* name) {
        const auto loaded = load_key_file(posix_file_system(), folder / name);
        return loaded ? std::string() : loaded.error().detail();
    };
    CHECK(told("ingen.xml") == "Nøkkelfil mangler");
    spill(folder / "feil.xml", "<x/>");
    CHECK(told("feil.xml").starts_with("Feil: Nøkkelfilen er ikke gyldig ("));
    CHECK(told("") == "Feil: Nøkkelfilen kunne ikke leses.");
}

TEST_SUITE_END();
