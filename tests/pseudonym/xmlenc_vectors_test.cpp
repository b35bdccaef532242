// XML Encryption test documents from outside: NIST's AES-GCM answers in xmlsec's wrapping, and Merlin's legacy ones.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pseudonym/pass.h"
#include "tests/support/pass_harness.h"
#include "tests/support/vectors.h"

using namespace tpf;
using namespace tpf::pseudonym;

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> documents(const fs::path& folder) {
    std::vector<fs::path> found;
    if (!fs::exists(folder)) return found;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".xml" && !entry.path().filename().string().starts_with("keys-")) {
            found.push_back(entry.path());
        }
    }
    return found;
}

/// Text of the leaves and Algorithm attributes of a document, by local name: all that these documents say.
class Gatherer final : public XmlHandler {
  public:
    Status start(const XmlStart& tag) override {
        name_ = tag.name.local;
        for (const auto& attribute : tag.attributes) {
            if (attribute.name.local == "Algorithm") algorithms.emplace_back(attribute.value);
        }
        return ok();
    }
    Status end(const XmlEnd&) override {
        name_.clear();
        return ok();
    }
    Status text(std::string_view, std::string_view value) override {
        if (!name_.empty()) values[name_] += value;
        return ok();
    }
    Status extra(std::string_view, std::string_view) override { return ok(); }

    std::vector<std::string> algorithms;
    std::map<std::string, std::string> values;

  private:
    std::string name_;
};

Gatherer gather(std::string_view document) {
    Gatherer gatherer;
    XmlScanner scanner(gatherer, {});
    test::must(scanner.feed(document));
    test::must(scanner.finish());
    return gatherer;
}

Bytes decode(std::string_view text) {
    Base64Decoder decoder;
    Bytes out(Base64Decoder::max_output(text.size()));
    out.resize(test::must(decoder.update(text, out.data())));
    test::must(decoder.finish());
    return out;
}

/// Keys by name, from keys-aes*-gcm.xml: name and value stand in pairs, in that order.
std::map<std::string, Bytes> read_keys(const fs::path& path) {
    const std::string text = test::read_whole(path);
    const auto between = [&](std::size_t& at, std::string_view from, std::string_view to) {
        at = text.find(from, at);
        if (at == std::string::npos) return std::string();
        const std::size_t begin = text.find('>', at) + 1;
        at = text.find(to, begin);
        return text.substr(begin, at - begin);
    };
    std::map<std::string, Bytes> keys;
    for (std::size_t at = 0;;) {
        const std::string name = between(at, "<KeyName", "</");
        if (at == std::string::npos) return keys;
        keys[name] = decode(between(at, "<AESKeyValue", "</"));
    }
}

Result<Bytes> open(const crypto::ContentKey& key, ByteView octets, std::size_t piece) {
    crypto::ContentDecryptor decryptor(key, piece);
    Bytes plaintext;
    for (std::size_t at = 0; at < octets.size(); at += piece) {
        const ByteView part = octets.subspan(at, std::min(piece, octets.size() - at));
        std::copy(part.begin(), part.end(), decryptor.prepare(part.size()));
        TPF_TRY(const auto out, decryptor.advance(part.size()));
        plaintext.insert(plaintext.end(), out.begin(), out.end());
    }
    TPF_TRY(const auto rest, decryptor.finish());
    plaintext.insert(plaintext.end(), rest.begin(), rest.end());
    return plaintext;
}

/// The text of the first EncryptedData of a Merlin document; empty when it has none.
std::string sealed_part(const std::string& document) {
    const std::size_t from = document.find("<EncryptedData");
    if (from == std::string::npos) return {};
    constexpr std::string_view kEnd = "</EncryptedData>";
    std::string part = document.substr(from, document.find(kEnd, from) + kEnd.size() - from);
    const std::string tag = part.substr(0, part.find('>'));
    if (tag.find("xmlns=") == std::string::npos) part.insert(14, " xmlns=\"http://www.w3.org/2001/04/xmlenc#\"");
    return part;
}

TEST_SUITE("pseudonym/xmlenc_vectors") {
    TEST_CASE("NIST AES-GCM: 180 documents, in pieces of every kind") {
        const fs::path folder = test::vectors() / "xmlenc/nist-aesgcm";
        if (!fs::exists(folder)) return test::skipped("xmlenc/nist-aesgcm");
        std::size_t opened = 0, failed = 0, refused = 0;
        for (const char* size : {"aes128", "aes192", "aes256"}) {
            const auto keys = read_keys(folder / ("keys-" + std::string(size) + "-gcm.xml"));
            for (const fs::path& path : documents(folder / size)) {
                CAPTURE(path.filename().string());
                const Gatherer said = gather(test::read_whole(path));
                REQUIRE(said.algorithms.size() == 1);
                const auto cipher = crypto::parse_content_cipher(said.algorithms[0]);
                if (std::string_view(size) == "aes192") {  // formats.md § 2 does not have it
                    REQUIRE_FALSE(cipher);
                    CHECK(cipher.error().code() == Code::algorithm);
                    ++refused;
                    continue;
                }
                const crypto::ContentKey key{cipher.value(),
                                             crypto::SecretBytes::copy_of(keys.at(said.values.at("KeyName")))};
                const Bytes octets = decode(said.values.at("CipherValue"));
                fs::path data = path;
                data.replace_extension(".data");
                for (const std::size_t piece : {std::size_t{1}, std::size_t{16}, std::size_t{1000}}) {
                    const auto plaintext = open(key, octets, piece);
                    CHECK(plaintext.has_value() == fs::exists(data));
                    if (plaintext) CHECK(plaintext.value() == decode(test::read_whole(data)));
                    if (!plaintext) CHECK(plaintext.error().code() == Code::decryption);
                }
                (fs::exists(data) ? opened : failed) += 1;
            }
        }
        CHECK(opened + failed + refused == 180);
        CHECK(refused == 60);
        CHECK(opened > 50);
        CHECK(failed > 50);
    }

    TEST_CASE("Merlin's legacy documents: refused with a clear code before any key is used") {
        const fs::path folder = test::vectors() / "xmlenc/merlin-xmlenc-five";
        if (!fs::exists(folder)) return test::skipped("xmlenc/merlin-xmlenc-five");
        test::TestKeys keys;
        keys.message_keys.at("TPF-2026").unwrapper = std::make_shared<test::UntouchableKey>();
        const std::string good = test::SubmissionBuilder().build();
        const std::size_t from = good.find("<xenc:EncryptedData");
        const std::size_t to = good.find("</i:Innsending>");
        std::size_t count = 0;
        for (const fs::path& path : documents(folder)) {
            CAPTURE(path.filename().string());
            const std::string document = test::read_whole(path);
            const std::string whole = test::run_pass(keys, document).name();
            CHECK_MESSAGE((whole == "ROT" || whole == "IKKE_TILLATT"), whole);
            const std::string sealed = sealed_part(document);
            if (sealed.empty()) continue;
            ++count;
            // In the place of a submission's TPF layer: the algorithm, or a structure that formats.md does not name.
            std::string submission = good;
            submission.replace(from, to - from, sealed);
            const std::string name = test::run_pass(keys, submission).name();
            CHECK_MESSAGE((name == "ALGORITME" || name == "IKKE_TILLATT" || name == "HODEFELT"), name);
            // And by itself: the content's algorithm is none, or none that a modern key allows.
            const std::size_t at = sealed.find("Algorithm=\"") + 11;
            const auto cipher = crypto::parse_content_cipher(sealed.substr(at, sealed.find('"', at) - at));
            for (const auto transport : {crypto::KeyTransport::oaep_sha256_mgf1_sha256,
                                         crypto::KeyTransport::oaep_mgf1p_sha1, crypto::KeyTransport::rsa_1_5}) {
                if (cipher) CHECK_FALSE(crypto::KeyPolicy::modern().check(transport, cipher.value()));
            }
            if (!cipher) CHECK(cipher.error().code() == Code::algorithm);
        }
        CHECK(count >= 15);
    }
}

}  // namespace
