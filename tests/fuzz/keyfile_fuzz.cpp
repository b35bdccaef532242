// The key file against expat: what is accepted is well-formed with namespaces, and expat finds the same owners, ids and
// RSA keys in it.
#include "crypto/key_file.h"

#include <expat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/transcode.h"
#include "tests/fuzz/fuzz_support.h"

namespace {

using namespace tpf;
using fuzz::require;

constexpr std::string_view kDsig = "http://www.w3.org/2000/09/xmldsig#\x01";

struct SeenKey {
    std::string id;
    std::string owner;
    std::string modulus;
    std::string exponent;
};

/// What expat sees.
struct Judge {
    std::vector<SeenKey> keys;
    std::string* text = nullptr;

    static void XMLCALL start(void* user, const XML_Char* name, const XML_Char** attributes) {
        auto& judge = *static_cast<Judge*>(user);
        judge.text = nullptr;
        const std::string_view element = name;
        if (element == "Nokkel") {
            SeenKey key;
            for (; *attributes != nullptr; attributes += 2) {
                if (std::string_view(attributes[0]) == "id") key.id = attributes[1];
                if (std::string_view(attributes[0]) == "eier") key.owner = attributes[1];
            }
            judge.keys.push_back(std::move(key));
        }
        if (judge.keys.empty() || !element.starts_with(kDsig)) return;
        if (element.ends_with("\x01Modulus")) judge.text = &judge.keys.back().modulus;
        if (element.ends_with("\x01"
                              "Exponent"))
            judge.text = &judge.keys.back().exponent;
    }
    static void XMLCALL end(void* user, const XML_Char*) { static_cast<Judge*>(user)->text = nullptr; }
    static void XMLCALL data(void* user, const XML_Char* text, int size) {
        auto& judge = *static_cast<Judge*>(user);
        if (judge.text != nullptr) judge.text->append(text, static_cast<std::size_t>(size));
    }
};

Bytes number(std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    Bytes bytes = from_base64(text).value();
    bytes.erase(bytes.begin(), std::find_if(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b != 0; }));
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const XML_Parser parser = XML_ParserCreateNS(nullptr, '\x01');
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const auto file = crypto::KeyFile::parse(content);
    if (!file) return 0;

    const auto utf8 = to_utf8(content);
    require(utf8.has_value(), "a key file in no encoding was accepted");
    Judge judge;
    XML_ParserReset(parser, "UTF-8");
    XML_SetUserData(parser, &judge);
    XML_SetElementHandler(parser, Judge::start, Judge::end);
    XML_SetCharacterDataHandler(parser, Judge::data);
    const bool accepted =
        XML_Parse(parser, utf8.value().data(), static_cast<int>(utf8.value().size()), 1) == XML_STATUS_OK;
    require(accepted, "expat refuses what the key file's reader accepts");
    const auto& keys = file.value().keys;
    require(judge.keys.size() == keys.size(), "expat counts other keys");
    for (std::size_t i = 0; i < keys.size(); ++i) {
        require(judge.keys[i].id == keys[i].id.str(), "expat reads another id");
        require(judge.keys[i].owner == keys[i].owner, "expat reads another owner");
        require(number(judge.keys[i].modulus) == keys[i].key.modulus(), "expat reads another modulus");
        require(number(judge.keys[i].exponent) == keys[i].key.exponent(), "expat reads another exponent");
    }
    const auto again = crypto::KeyFile::parse(file.value().write());
    require(again.has_value(), "what was read cannot be written and read again");
    require(again.value().keys.size() == keys.size(), "keys are lost in writing");
    return 0;
}
