#include "crypto/key_backup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "crypto/key_ring.h"
#include "tests/crypto/outside.h"

namespace tpf::crypto {
namespace {

namespace stdfs = std::filesystem;

constexpr std::string_view kContent = "the bundle: all that there is to lose";

std::chrono::sys_days today() {
    return parse_date("2026-11-23").value();
}
SecretBytes content() {
    return SecretBytes::copy_of(as_bytes(kContent));
}
std::string text_of(const SecretBytes& secret) {
    return std::string(as_text(secret.bytes(SecretToken::access())));
}
KeyBackup backup(unsigned threshold = 3, unsigned shares = 5) {
    return make_backup(content(), "systemtest", today(), threshold, shares).value();
}
KeyShare copy(const KeyShare& share) {
    return {share.facts, share.number, share.value.clone()};
}
std::vector<KeyShare> some(const KeyBackup& from, std::initializer_list<unsigned> numbers) {
    std::vector<KeyShare> shares;
    for (const unsigned number : numbers) shares.push_back(copy(from.shares[number - 1]));
    return shares;
}
Result<SecretBytes> open(const KeyBackup& backup, std::initializer_list<unsigned> numbers) {
    return BackupFile::parse(backup.file).value().open(some(backup, numbers));
}
std::string sheet_of(const KeyBackup& backup, unsigned number) {
    return text_of(print_share(backup.shares[number - 1]));
}
/// Where its line `line` begins.
std::size_t line_at(const std::string& sheet, unsigned line) {
    return sheet.find("\n" + std::to_string(line) + "  ") + 1;
}
std::string parse_error(std::string_view sheet) {
    const auto share = parse_share(sheet);
    if (share) return "";
    CHECK(share.error().code() == Code::field_form);
    CHECK_FALSE(share.error().hint().empty());
    return share.error().detail();
}

}  // namespace

TEST_SUITE("crypto/key_backup") {
    TEST_CASE("any three of five open it, fewer do not") {
        const KeyBackup made = backup();
        for (unsigned a = 1; a <= 5; ++a) {
            for (unsigned b = 1; b <= 5; ++b) {
                for (unsigned c = 1; c <= 5; ++c) {
                    if (a == b || b == c || a == c) continue;
                    const auto opened = open(made, {a, b, c});
                    REQUIRE(opened.has_value());
                    CHECK(text_of(opened.value()) == kContent);
                }
            }
        }
        CHECK(text_of(open(made, {1, 2, 3, 4, 5}).value()) == kContent);
        CHECK(open(made, {}).error().detail() == "0 shares of the 3 that are needed");
        CHECK(open(made, {4, 2}).error().detail() == "2 shares of the 3 that are needed");
        const auto twice = open(made, {4, 2, 4});
        CHECK(twice.error().detail() == "share 4 is there twice");
        for (const auto& [threshold, shares] : {std::pair{2U, 2U}, {2U, 3U}, {kMaxShares, kMaxShares}}) {
            const KeyBackup other = backup(threshold, shares);
            CHECK(text_of(BackupFile::parse(other.file).value().open(other.shares).value()) == kContent);
        }
    }

    TEST_CASE("numbers that make no backup") {
        for (const auto& [threshold, shares] :
             {std::pair{1U, 5U}, {0U, 0U}, {3U, 2U}, {2U, 1U}, {2U, kMaxShares + 1}, {300U, 300U}}) {
            CHECK(make_backup(content(), "a", today(), threshold, shares).error().code() == Code::usage);
        }
        for (const char* name : {"", " a", "a ", "a\nb", "a\x7f"})
            CHECK(make_backup(content(), name, today(), 2, 3).error().code() == Code::usage);
    }

    TEST_CASE("a share alone, and one too few, hold nothing of the key") {
        // What a lowered threshold makes of two shares is another key; the file's check value tells.
        const KeyBackup made = backup();
        std::string head = made.file;
        head.replace(head.find("\"threshold\":3"), 13, "\"threshold\":2");
        auto two = some(made, {1, 2});
        for (KeyShare& share : two) share.facts.threshold = 2;
        const auto opened = BackupFile::parse(head).value().open(two);
        CHECK(opened.error().code() == Code::wrong_key);
        // The same secret is divided in another way each time, and no two shares or sheets have a value in common.
        std::set<std::string> values;
        for (int i = 0; i < 20; ++i) {
            for (const KeyShare& share : backup().shares) values.insert(text_of(share.value));
        }
        CHECK(values.size() == 100);
        // Neither content nor anything of it is in a sheet or in the file.
        for (unsigned number = 1; number <= 5; ++number) {
            for (std::size_t at = 0; at + 4 <= kContent.size(); ++at)
                CHECK(text_of(made.shares[number - 1].value).find(kContent.substr(at, 4)) == std::string::npos);
        }
        CHECK(made.file.find(base64(as_bytes(kContent)).substr(0, 8)) == std::string::npos);
    }

    TEST_CASE("a sheet says whose it is, and is read again however it was typed") {
        const KeyBackup made = backup();
        const std::string sheet = sheet_of(made, 2);
        for (const char* part : {"Installation: systemtest", "Date:         2026-11-23", "Share:        2 of 5",
                                 "Needed:       3", "TPF key backup, share 2 of 5"})
            CHECK(sheet.find(part) != std::string::npos);
        CHECK(sheet.size() < 900);
        const auto same = [&](std::string_view text) {
            const auto share = parse_share(text);
            REQUIRE_MESSAGE(share.has_value(), (share ? "" : share.error().detail()));
            CHECK(share.value().facts == made.facts);
            CHECK(share.value().number == 2);
            CHECK(text_of(share.value().value) == text_of(made.shares[1].value));
        };
        same(sheet);
        std::string typed = sheet;
        std::transform(typed.begin() + static_cast<std::ptrdiff_t>(line_at(sheet, 1)), typed.end(),
                       typed.begin() + static_cast<std::ptrdiff_t>(line_at(sheet, 1)), [](char c) {
                           if (c == '0') return 'o';
                           if (c == '1') return 'l';
                           return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
                       });
        for (const char* number : {"\nl ", "\nl\t"}) {
            if (const auto at = typed.find(number); at != std::string::npos) typed[at + 1] = '1';
        }
        same(typed);
        std::string dos;
        for (const char c : sheet) dos += c == '\n' ? std::string("\r\n") : std::string(1, c);
        same("A covering letter.\n\n" + dos);
    }

    TEST_CASE("every typing error of one character, and every two neighbours exchanged, is found in its line") {
        const std::string sheet = sheet_of(backup(), 1);
        for (unsigned line = 1; line <= 3; ++line) {
            const std::size_t first = line_at(sheet, line) + 3, last = sheet.find('\n', first);
            const std::string told = "line " + std::to_string(line) + ": ";
            for (std::size_t at = first; at < last; ++at) {
                if (sheet[at] == ' ') continue;
                for (const char c : std::string_view("0123456789ABCDEFGHJKMNPQRSTVWXYZU!")) {
                    if (c == sheet[at]) continue;
                    std::string wrong = sheet;
                    wrong[at] = c;
                    CHECK(parse_error(wrong).starts_with(told));
                }
                std::string short_of = sheet;
                CHECK(parse_error(short_of.erase(at, 1)).starts_with(told));
                const std::size_t next = sheet.find_first_not_of(' ', at + 1);
                if (next >= last || sheet[next] == sheet[at]) continue;
                std::string exchanged = sheet;
                std::swap(exchanged[at], exchanged[next]);
                CHECK(parse_error(exchanged).starts_with(told));
            }
        }
    }

    TEST_CASE("lines and heads that do not belong together") {
        const KeyBackup made = backup(), other = backup();
        const std::string sheet = sheet_of(made, 1);
        const auto with_line = [&](unsigned line, const std::string& from) {
            std::string text = sheet;
            const std::size_t at = line_at(text, line), to = line_at(from, line);
            return text.replace(at, text.find('\n', at) - at, from.substr(to, from.find('\n', to) - to));
        };
        for (unsigned line = 1; line <= 3; ++line) {
            CHECK(parse_error(with_line(line, sheet_of(made, 2))).find("do not belong to this head") !=
                  std::string::npos);
            CHECK(parse_error(with_line(line, sheet_of(other, 1))).find("do not belong") != std::string::npos);
            CHECK(parse_error(with_line(line, sheet)).empty());
        }
        const auto with = [&](std::string_view from, std::string_view to) {
            std::string text = sheet;
            REQUIRE(text.find(from) != std::string::npos);
            return parse_error(text.replace(text.find(from), from.size(), to));
        };
        CHECK(with("systemtest", "production").find("do not belong") != std::string::npos);
        CHECK(with("2026-11-23", "2026-11-24").find("do not belong") != std::string::npos);
        CHECK(with("Share:        1 of 5", "Share: 2 of 5").find("do not belong") != std::string::npos);
        CHECK(with("Needed:       3", "Needed: 2").find("do not belong") != std::string::npos);
        CHECK(with("Needed:       3", "Needed: 1").find("Needed") != std::string::npos);
        CHECK(with("Share:        1 of 5", "Share: 6 of 5").find("Share") != std::string::npos);
        CHECK(with("Share:        1 of 5", "Share: one").find("Share") != std::string::npos);
        CHECK(with("2026-11-23", "23.11.2026").find("Date") != std::string::npos);
        CHECK(with("Backup:", "Backup: 1").find("Backup") != std::string::npos);
        CHECK(with("Date:", "Dato:").find("no line \"Date:\"") != std::string::npos);
        CHECK(with("\n2  ", "\n4  ") == "line 2: it is missing");
        CHECK(with("\n2  ", "\n1  ") == "line 1: it is there twice");
        CHECK(parse_error("") == "no line \"Installation:\": is this a share?");
    }

    TEST_CASE("foreign and altered shares, and a damaged file, are told apart") {
        const KeyBackup made = backup(), other = backup();
        const BackupFile file = BackupFile::parse(made.file).value();
        auto mixed = some(made, {1, 2});
        mixed.push_back(copy(other.shares[2]));
        CHECK(file.open(mixed).error().detail().starts_with("share 3 belongs to another backup"));
        auto altered = some(made, {1, 2, 3});
        altered[1].value.writable(SecretToken::access())[7] ^= 1;
        CHECK(file.open(altered).error().code() == Code::wrong_key);
        auto renamed = some(made, {1, 2, 3});
        renamed[0].facts.installation = "another";
        CHECK(file.open(renamed).error().detail().starts_with("share 1 says something else"));
        std::string damaged = made.file;
        char& c = damaged[damaged.size() - 20];
        c = c == 'A' ? 'B' : 'A';
        CHECK(BackupFile::parse(damaged).value().open(some(made, {1, 2, 3})).error().code() == Code::decryption);
        // The head is under the seal too.
        std::string moved = made.file;
        moved.replace(moved.find("systemtest"), 10, "production");
        auto followed = some(made, {1, 2, 3});
        for (KeyShare& share : followed) share.facts.installation = "production";
        CHECK(BackupFile::parse(moved).value().open(followed).error().code() == Code::decryption);
        for (const std::string& text : {std::string(), std::string("tpf-keyring-backup-1"), made.file.substr(1),
                                        made.file.substr(0, made.file.size() - 1), made.file + "x",
                                        made.file.substr(0, made.file.find('\n') + 1)})
            CHECK(BackupFile::parse(text).error().code() == Code::field_form);
        std::string odd = made.file;
        CHECK(BackupFile::parse(odd.replace(odd.find("\"threshold\":3"), 13, "\"threshold\":9")).has_value() == false);
    }

    TEST_CASE("a ring comes back under another passphrase, with the same keys") {
        const test::TempFolder folder;
        const auto phrase = [](const char* text) { return SecretBytes::copy_of(as_bytes(text)); };
        const auto id = [](const char* text) { return KeyId::parse(text).value(); };
        const UtcTime now = parse_utc("2027-01-04T09:30:00Z").value();
        const auto iplos = RegisterName::parse("IPLOS").value();
        FileSystem& fs = posix_file_system();
        const auto ring = KeyRing::open(fs, folder / "ring", phrase("the old one")).value();
        const auto make = [&](KeyKind kind, const char* name, std::optional<RegisterName> reg, unsigned version) {
            REQUIRE(ring->generate({kind,
                                    id(name),
                                    std::move(reg),
                                    version,
                                    today(),
                                    today(),
                                    KeyPolicy::modern(),
                                    3072,
                                    KeyState::active,
                                    {"kari", "why", 1001}},
                                   now)
                        .has_value());
        };
        make(KeyKind::message, "TPF-1", {}, 0);
        make(KeyKind::signing, "SIGN-1", {}, 0);
        make(KeyKind::signing, "SIGN-0", {}, 0);
        make(KeyKind::pseudonym, "P-1", iplos, 1);
        REQUIRE(ring->change(id("SIGN-0"), KeyState::retired, {"kari", "old", 1001}, now).has_value());
        const auto none = [](const KeyFacts&) -> Result<std::string> { return std::string(); };
        REQUIRE(ring->request_destroy(id("SIGN-0"), {"kari", "old", 1001}, none, now).has_value());
        REQUIRE(ring->confirm_destroy(id("SIGN-0"), {"ola", "old", 1002}, none, now).has_value());
        const auto bundle = ring->bundle().value();
        CHECK(KeyRing::prove(bundle).value().size() == 4);
        const RingRestored note{now, "kari", "the disk died", "0123456789abcdef"};
        CHECK(KeyRing::restore(fs, folder / "ring", phrase("x"), bundle, note).error().code() == Code::usage);
        CHECK(KeyRing::restore(fs, folder / "new", SecretBytes(), bundle, note).error().code() == Code::config);
        CHECK_FALSE(stdfs::exists(folder / "new" / "keyring.json"));
        REQUIRE(KeyRing::restore(fs, folder / "new", phrase("the new one"), bundle, note).has_value());
        CHECK_FALSE(KeyRing::open(fs, folder / "new", phrase("the old one")).has_value());
        const auto back = KeyRing::open(fs, folder / "new", phrase("the new one")).value();
        REQUIRE(back->list().size() == 4);
        for (std::size_t i = 0; i < 4; ++i) {
            CHECK(back->list()[i].check_value == ring->list()[i].check_value);
            CHECK(back->list()[i].state == ring->list()[i].state);
            CHECK(back->list()[i].history.size() == ring->list()[i].history.size());
        }
        const auto mac = [&](const KeyRing& of) {
            auto hmac = of.pseudonym_mac(iplos, 1).value();
            std::array<std::uint8_t, 32> out{};
            REQUIRE(hmac.compute({"x"}, out).has_value());
            return hex(out);
        };
        CHECK(mac(*back) == mac(*ring));
        // It is told once, and until that is written down.
        std::string told;
        const auto fails = [](const RingRestored&) -> Status { return fail(Code::disk_full); };
        const auto tells = [&](const RingRestored& restored) -> Status {
            told += restored.by + restored.reason + restored.backup;
            return ok();
        };
        CHECK_FALSE(back->announce_restore(fails).has_value());
        CHECK(back->announce_restore(tells).has_value());
        CHECK(back->announce_restore(tells).has_value());
        CHECK(told == "karithe disk died0123456789abcdef");
        // What is no bundle, or not the keys that it names.
        Bytes bytes(bundle.bytes(SecretToken::access()).begin(), bundle.bytes(SecretToken::access()).end());
        const auto proves = [](ByteView of) { return KeyRing::prove(SecretBytes::copy_of(of)).has_value(); };
        CHECK(proves(bytes));
        CHECK_FALSE(proves({}));
        CHECK_FALSE(proves(ByteView(bytes).first(bytes.size() - 1)));
        CHECK_FALSE(proves(ByteView(bytes).first(bytes.size() - 36)));
        Bytes longer = bytes;
        longer.insert(longer.end(), {0, 0, 0, 0});
        CHECK_FALSE(proves(longer));
        bytes.back() ^= 1;
        CHECK_FALSE(proves(bytes));
    }
}

}  // namespace tpf::crypto
