#include "audit/note.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "audit/text_form.h"
#include "tests/audit/ed25519.h"

namespace tpf::audit::test {
namespace {

template <class T>
T get(Result<T> result) {
    if (!result) FAIL(result.error().text());
    return std::move(result).value();
}
template <class T>
bool refused(const Result<T>& result) {
    return !result && result.error().code() == Code::evidence;
}

// The example of c2sp.org/signed-note (v1.1.0), "Verifier keys".
constexpr const char* kSpecKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
constexpr const char* kSpecNote =
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

// The example of Go's golang.org/x/mod/sumdb/note: its keys, and the note that both have signed.
constexpr const char* kGoKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* kGoSeed = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";  // type, seed
constexpr const char* kGoOtherKey = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
constexpr const char* kGoText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr const char* kGoLine =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
constexpr const char* kGoOtherLine =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

// A checkpoint of a public Certificate Transparency log, with a signature of another type (passed over), the log's own
// and a witness's.
constexpr const char* kRealText =
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n";
constexpr const char* kRealLines =
    "— arche2025h1.staging.ct.transparency.dev "
    "zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt"
    "0"
    "=\n"
    "— arche2025h1.staging.ct.transparency.dev "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
constexpr const char* kRealLogKey =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
constexpr const char* kRealWitnessKey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

NoteKey key(std::string_view vkey) {
    return get(NoteKey::parse(vkey));
}
Result<std::vector<VerifiedSignature>> open(std::string_view note, const std::vector<NoteKey>& known) {
    TPF_TRY(const SignedNote parsed, SignedNote::parse(note));
    return verify_note(parsed, known, TestVerifier());
}
TestSigner signer(std::uint8_t fill) {
    Ed25519Key seed{};
    seed.fill(fill);
    return TestSigner(seed);
}
NoteKey key_of(std::string name, NoteType type, const NoteSigner& signer) {
    return get(NoteKey::create(std::move(name), type, signer.public_key()));
}
const Checkpoint kCheckpoint{"tpf.example/log", {7, sha256(std::string_view("root"))}, {}};

}  // namespace

TEST_SUITE("audit/note") {
    TEST_CASE("the specification's example") {
        CHECK(key(kSpecKey).id() == 0x530d903a);
        CHECK(key(kSpecKey).name() == "example.com/foo");
        CHECK(key(kSpecKey).str() == kSpecKey);
        CHECK(get(open(kSpecNote, {key(kSpecKey)})).size() == 1);
        CHECK(get(get(SignedNote::parse(kSpecNote)).str()) == kSpecNote);
    }

    TEST_CASE("Go's example, signed anew to the same bytes, and with two signatures") {
        const Bytes with_type = get(from_base64(kGoSeed));
        Ed25519Key seed{};
        std::copy(with_type.begin() + 1, with_type.end(), seed.begin());
        SignedNote note{kGoText, {}};
        note.signatures.push_back(get(sign_note(kGoText, "PeterNeumann", TestSigner(seed))));
        CHECK(get(note.str()) == std::string(kGoText) + "\n" + kGoLine);
        const std::string both = std::string(kGoText) + "\n" + kGoLine + kGoOtherLine;
        CHECK(get(open(both, {key(kGoKey), key(kGoOtherKey)})).size() == 2);
        const auto one = get(open(both, {key(kGoOtherKey)}));
        REQUIRE(one.size() == 1);
        CHECK(one[0].key.name() == "EnochRoot");
        CHECK_FALSE(one[0].time.has_value());
    }

    TEST_CASE("a real log's checkpoint with a real witness's cosignature") {
        const std::string note = std::string(kRealText) + "\n" + kRealLines;
        const auto good = get(open(note, {key(kRealLogKey), key(kRealWitnessKey)}));
        REQUIRE(good.size() == 2);
        CHECK(good[1].key.type() == NoteType::cosignature);
        REQUIRE(good[1].time.has_value());
        CHECK(good[1].time->time_since_epoch().count() == 0x6a122120);
        const Checkpoint checkpoint = get(Checkpoint::parse(kRealText));
        CHECK(checkpoint.head.size == 1432088532);
        CHECK(get(checkpoint.str()) == kRealText);
        std::string other = note;
        other.replace(other.find("1432088532"), 10, "1432088533");
        CHECK(refused(open(other, {key(kRealLogKey)})));
        CHECK(refused(open(other, {key(kRealWitnessKey)})));
    }

    TEST_CASE("every bit of text and signatures counts") {
        const std::string note = std::string(kRealText) + "\n" + kRealLines;
        const std::vector<NoteKey> known{key(kRealLogKey), key(kRealWitnessKey)};
        const std::size_t all = get(open(note, known)).size();
        for (std::size_t at = 0; at < note.size(); ++at) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                std::string changed = note;
                changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1u << bit));
                const auto opened = open(changed, known);
                // A line of a key that nobody knows may be any other; the known ones are all there or it is refused.
                const bool in_unknown = at > std::string(kRealText).size() && at < note.find("ui8GwCF1");
                if (in_unknown && opened) continue;
                CAPTURE(at);
                REQUIRE((!opened || opened.value().size() < all));
            }
        }
    }

    TEST_CASE("a cosignature holds text and time, and only a checkpoint takes one") {
        const TestSigner log = signer(1), witness = signer(2);
        const UtcTime time{std::chrono::seconds(1800000000)};
        SignedNote note{get(kCheckpoint.str()), {}};
        note.signatures.push_back(get(sign_note(note.text, "tpf.example/log", log)));
        note.signatures.push_back(get(cosign(note.text, "register.example", witness, time)));
        const std::vector<NoteKey> known{key_of("tpf.example/log", NoteType::ed25519, log),
                                         key_of("register.example", NoteType::cosignature, witness)};
        const auto good = get(open(get(note.str()), known));
        REQUIRE(good.size() == 2);
        CHECK(good[1].time == time);
        // The same key as another type is another key.
        CHECK(refused(open(get(note.str()), {key_of("register.example", NoteType::ed25519, witness)})));
        SignedNote later = note;
        later.signatures[1].bytes[7] ^= 1;
        CHECK(refused(open(get(later.str()), known)));
        // A time that is signed, but that no clock shows.
        const Ed25519Signature signature = witness.sign("cosignature/v1\ntime 9223372036854775808\n" + note.text);
        SignedNote far = note;
        far.signatures[1].bytes = {0x80, 0, 0, 0, 0, 0, 0, 0};
        far.signatures[1].bytes.insert(far.signatures[1].bytes.end(), signature.begin(), signature.end());
        CHECK(refused(open(get(far.str()), known)));
        CHECK(refused(cosign("any text\n", "register.example", witness, time)));
        CHECK(refused(cosign(note.text, "register.example", witness, UtcTime(std::chrono::seconds(-1)))));
    }

    TEST_CASE("one bad signature of a known key refuses the note, an unknown key's says nothing") {
        const TestSigner one = signer(1), two = signer(2);
        SignedNote note{"text\n", {get(sign_note("text\n", "a", one)), get(sign_note("text\n", "b", two))}};
        const NoteKey a = key_of("a", NoteType::ed25519, one), b = key_of("b", NoteType::ed25519, two);
        note.signatures[1].bytes[0] ^= 1;
        CHECK(get(open(get(note.str()), {a})).size() == 1);
        CHECK(refused(open(get(note.str()), {a, b})));
        CHECK(refused(open(get(note.str()), {})));
        CHECK(open(get(note.str()), {a, a}).error().code() == Code::usage);
    }

    TEST_CASE("notes that are not exactly in their form are refused") {
        const std::string good = kSpecNote;
        const std::string line = good.substr(good.find("— "));
        const auto with = [&](std::string_view signatures) { return "text\n\n" + std::string(signatures); };
        REQUIRE(SignedNote::parse(with(line)).has_value());
        CHECK(get(SignedNote::parse("a\n\nb\n\n" + line)).text == "a\n\nb\n");
        const std::string bad[] = {
            "",
            "\n\n",
            "text\n",
            "text\n\n",
            "text" + line,
            "text\n" + line,
            with(line.substr(0, line.size() - 1)),          // no LF at the end
            with(line + "\n"),                              // an empty line at the end
            with(line + "x\n"),                             // no signature
            with(" " + line),                               // white space
            with(line.substr(0, line.size() - 1) + " \n"),  //
            with("- " + line.substr(4)),                    // another dash
            with("—" + line.substr(4)),                     // no space
            with("—  " + line.substr(4)),                   // two
            with("— example.com/foo\n"),                    // no signature
            with("— example.com/foo \n"),                   //
            with("— example.com/foo Uw2QOg==\n"),           // a key id alone
            with("— example.com/foo Uw2QOkn\n"),            // no base64
            with("— example.com/foo Uw2QOkk\n"),            // without padding
            with("— example.com/foo Uw2QOkl=\n"),           // spare bits
            with("— a+b Uw2QOkk=\n"),                       // a plus in the name
            with("— a\u00a0b Uw2QOkk=\n"),                  // a space of another kind
            with("— a\u3000b Uw2QOkk=\n"),                  //
            "te\rxt\n\n" + line,                            // control characters
            "te\txt\n\n" + line,                            //
            std::string("te\0xt\n\n", 7) + line,            //
            "te\xffxt\n\n" + line,                          // not UTF-8
            "te\xe0\x80\xafxt\n\n" + line,
            "te\xc0\xafxt\n\n" + line,          // too long a form
            "te\xed\xa0\x80xt\n\n" + line,      // half a pair
            "te\xf4\x90\x80\x80xt\n\n" + line,  // above U+10FFFF
            "te\xe2\x82\n\n" + line,            // cut off
            std::string(SignedNote::kMostBytes, 'x') + with(line),
        };
        for (const std::string& note : bad) {
            CAPTURE(note.substr(0, 200));
            CHECK(refused(SignedNote::parse(note)));
        }
        std::string many = "text\n\n";
        for (std::size_t i = 0; i < SignedNote::kMostSignatures; ++i) many += "— a Uw2QOkk=\n";
        CHECK(SignedNote::parse(many).has_value());
        CHECK(refused(SignedNote::parse(many + "— a Uw2QOkk=\n")));
    }

    TEST_CASE("keys that are not exactly in their form are refused") {
        CHECK(key("Ø.example/æ+" + key_of("Ø.example/æ", NoteType::ed25519, signer(1)).str().substr(14)).type() ==
              NoteType::ed25519);
        const std::string bad[] = {
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",   // another id
            "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",   // upper case
            "PeterNeumann+0c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  //
            "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW ",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",     // a byte less
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",    //
            "EnochRoot+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",        // another name's id
            "example.com/foo+00000000+++++++++++++++++++++++++++++++++++++++++++++",  // a type that nobody has
        };
        for (const std::string& vkey : bad) {
            CAPTURE(vkey);
            CHECK(refused(NoteKey::parse(vkey)));
        }
        CHECK(refused(NoteKey::create("a b", NoteType::ed25519, {})));
        CHECK(refused(sign_note("text", "a", signer(1))));
        CHECK(refused(sign_note("text\n", "a b", signer(1))));
    }

    TEST_CASE("checkpoints that are not exactly in their form are refused") {
        const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        const Checkpoint good = get(Checkpoint::parse("a b\n0\n" + root + "\nmore\nand more\n"));
        CHECK(good.extensions == std::vector<std::string>{"more", "and more"});
        CHECK(get(good.str()) == "a b\n0\n" + root + "\nmore\nand more\n");
        CHECK(get(Checkpoint::parse("a\n9223372036854775807\n" + root + "\n")).head.size ==
              (std::uint64_t{1} << 63) - 1);
        const std::string bad[] = {
            "",
            "a\n",
            "a\n1\n",
            "a\n1\n" + root,              // no LF at the end
            "\n1\n" + root + "\n",        // no origin
            "a\n\n" + root + "\n",        // no size
            "a\n1\n\n",                   // no root
            "a\n1\n" + root + "\n\n",     // an empty extension
            "a\n1\n" + root + "\n\nx\n",  //
            "a\n01\n" + root + "\n",      // leading zero
            "a\n+1\n" + root + "\n",      // sign
            "a\n-1\n" + root + "\n",      //
            "a\n 1\n" + root + "\n",      // white space
            "a\n1 \n" + root + "\n",      //
            "a\n0x1\n" + root + "\n",     //
            "a\n9223372036854775808\n" + root + "\n",
            "a\n99999999999999999999999\n" + root + "\n",
            "a\n1\n" + root + " \n",
            "a\n1\n" + root.substr(0, 42) + "\n",
            "a\n1\n" + root.substr(0, 42) + "J=\n",  // spare bits
            "a\n1\n" + root.substr(0, 40) + "\n",    // 30 bytes
            "a\r\n1\r\n" + root + "\r\n",
        };
        for (const std::string& text : bad) {
            CAPTURE(text);
            CHECK(refused(Checkpoint::parse(text)));
        }
        CHECK(refused(Checkpoint{"", {}, {}}.str()));
        CHECK(refused(Checkpoint{"a\nb", {}, {}}.str()));
        CHECK(refused(Checkpoint{"a", {}, {""}}.str()));
        CHECK(refused(Checkpoint{"a", {}, {"x\ny"}}.str()));
        CHECK(refused(Checkpoint{"a", {std::uint64_t{1} << 63, {}}, {}}.str()));
    }
}

}  // namespace tpf::audit::test
