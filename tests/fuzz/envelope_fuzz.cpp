// The pass from submission to pseudonymised message, with the content key injected. Mode bit 0: the input is the TPF
// layer's plaintext, sealed here, in a fixed outer document; else it is the outer document around a fixed sealed layer.
//
// Whatever the pass lets through is read again by expat: it has the shape of formats.md § 3, as many persons as there
// are, nothing like an identity number outside sealed data, and every EncryptedData has its input's bytes and means the
// same as there.
#include <expat.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "pseudonym/pass.h"
#include "tests/fuzz/envelope_seed.h"
#include "tests/fuzz/fuzz_support.h"
#include "tests/support/xml_events.h"

namespace {

using namespace tpf;
using fuzz::require;

constexpr std::string_view kXenc = "http://www.w3.org/2001/04/xmlenc#\x01";
constexpr std::string_view kOut = "urn:tpf:pseudonymisert:1\x01";
constexpr std::string_view kIn = "urn:tpf:innsending:1\x01";

class FixedKey final : public crypto::KeyUnwrapper {
  public:
    Result<crypto::ContentKey> unwrap(crypto::KeyTransport, crypto::ContentCipher cipher, ByteView) const override {
        return crypto::ContentKey{cipher, crypto::SecretBytes::copy_of(fuzz::content_key(crypto::key_size(cipher)))};
    }
};

class Keys final : public pseudonym::PassKeys {
  public:
    Result<crypto::KeyRing::MessageKey> message_key(const KeyId& id) const override {
        if (id.str() != "TPF-2026") return fail(Code::unknown_key);
        return crypto::KeyRing::MessageKey{key_, crypto::KeyPolicy::modern(), fuzz::kWrappedBytes};
    }
    Result<pseudonym::RegisterSetup> register_setup(const RegisterName& reg) const override {
        if (reg.str() != "IPLOS") return fail(Code::unknown_register);
        pseudonym::RegisterSetup setup;
        setup.derivers.emplace_back(crypto::HmacSha256(crypto::SecretBytes(32)), 1, reg.str());
        setup.keys.push_back({KeyId::parse("R").value(), fuzz::kWrappedBytes, crypto::KeyPolicy::modern()});
        return setup;
    }

  private:
    std::shared_ptr<const FixedKey> key_ = std::make_shared<FixedKey>();
};

class Sink final : public pseudonym::OutputSink {
  public:
    Status write(TextBuffer& piece) override {
        text += piece.view();
        return ok();
    }
    std::string text;
};

/// Eleven digits in a row, or twelve: what must stand nowhere in clear.
bool has_number(std::string_view text) {
    std::size_t run = 0;
    for (const char c : text) {
        run = c >= '0' && c <= '9' ? run + 1 : 0;
        if (run >= 11) return true;
    }
    return false;
}

/// What expat sees of a document: each EncryptedData under a Person, the leaves, the persons.
class Reader {
  public:
    Reader() : parser_(XML_ParserCreateNS(nullptr, '\x01')) {}
    ~Reader() { XML_ParserFree(parser_); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    bool read(std::string_view document, std::string_view uri) {
        document_ = document;
        uri_ = uri;
        depth_ = 0;
        inside_ = 0;
        persons = 0;
        sealed.clear();
        meaning.clear();
        numbers.clear();
        pseudonyms.clear();
        root.clear();
        clear_text.clear();
        bindings.clear();
        XML_ParserReset(parser_, "UTF-8");
        XML_SetUserData(parser_, this);
        XML_SetElementHandler(parser_, on_start, on_end);
        XML_SetCharacterDataHandler(parser_, on_text);
        XML_SetNamespaceDeclHandler(parser_, on_namespace, on_namespace_end);
        return XML_Parse(parser_, document.data(), static_cast<int>(document.size()), 1) == XML_STATUS_OK;
    }

    std::size_t persons = 0;
    std::string root;
    std::vector<std::string> sealed;      // raw bytes of each EncryptedData
    std::vector<std::string> meaning;     // what each means, namespaces resolved
    std::vector<std::string> numbers;     // values of Fodselsnummer
    std::vector<std::string> pseudonyms;  // values of Pseudonym
    std::string clear_text;               // everything that is read outside CipherValue and the exempt leaves
    std::vector<std::pair<std::string, std::string>> bindings;  // in scope at the last EncryptedData

  private:
    static Reader& self(void* user) { return *static_cast<Reader*>(user); }
    static void XMLCALL on_start(void* user, const XML_Char* name, const XML_Char** attributes) {
        self(user).start(name, attributes);
    }
    static void XMLCALL on_end(void* user, const XML_Char* name) { self(user).end(name); }
    static void XMLCALL on_text(void* user, const XML_Char* text, int size) {
        self(user).text({text, static_cast<std::size_t>(size)});
    }
    static void XMLCALL on_namespace(void* user, const XML_Char* prefix, const XML_Char* uri) {
        Reader& reader = self(user);
        const std::string name = prefix == nullptr ? "" : prefix;
        const std::string value = uri == nullptr ? "" : uri;
        reader.scope_.emplace_back(name, value);
        reader.clear_text += "\n" + name + "\n" + value + "\n";
    }
    static void XMLCALL on_namespace_end(void* user, const XML_Char*) { self(user).scope_.pop_back(); }

    [[nodiscard]] bool is(std::string_view name, std::string_view uri, std::string_view local) const {
        return name.size() == uri.size() + local.size() && name.starts_with(uri) && name.ends_with(local);
    }
    void start(std::string_view name, const XML_Char** attributes) {
        if (depth_++ == 0) root = name;
        if (is(name, uri_, "Person")) ++persons;
        if (inside_ == 0 && is(name, kXenc, "EncryptedData")) {
            inside_ = depth_;
            from_ = static_cast<std::size_t>(XML_GetCurrentByteIndex(parser_));
            events_.clear();
            bindings = scope_;
        }
        const bool exempt = is(name, kXenc, "CipherValue") || is(name, uri_, "MeldingsId") ||
                            is(name, uri_, "Mobiltelefon") || is(name, uri_, "Pseudonym") ||
                            is(name, uri_, "Fodselsnummer");
        exempt_ = exempt;
        value_.clear();
        if (inside_ != 0) events_.part('S', name);
        for (; *attributes != nullptr; attributes += 2) {
            clear_text += std::string("\n") + attributes[0] + "\n" + attributes[1] + "\n";
            if (inside_ == 0) continue;
            events_.part('A', attributes[0]);
            events_.part('=', attributes[1]);
        }
        clear_text += '\n';
        clear_text += name;
        clear_text += '\n';
    }
    void text(std::string_view value) {
        if (inside_ != 0) events_.read_data(value);
        if (!exempt_) clear_text += value;
        value_ += value;
    }
    void end(std::string_view name) {
        if (is(name, kIn, "Fodselsnummer")) numbers.push_back(value_);
        if (is(name, kOut, "Pseudonym")) pseudonyms.push_back(value_);
        exempt_ = false;
        value_.clear();
        clear_text += '\n';
        if (inside_ != 0) events_.end();
        if (inside_ == depth_) {
            inside_ = 0;
            const auto at = static_cast<std::size_t>(XML_GetCurrentByteIndex(parser_));
            const std::size_t to = document_.find('>', at) + 1;
            sealed.emplace_back(document_.substr(from_, to - from_));
            meaning.push_back(events_.text());
        }
        --depth_;
    }

    XML_Parser parser_;
    std::string_view document_;
    std::string_view uri_;
    std::size_t depth_ = 0;
    std::size_t inside_ = 0;  // depth of the EncryptedData at hand
    std::size_t from_ = 0;
    bool exempt_ = false;
    std::string value_;
    test::EventText events_;
    std::vector<std::pair<std::string, std::string>> scope_;
};

/// The layer as an element of its own, with the bindings that hold around it.
std::string wrapped(std::string_view layer, const std::vector<std::pair<std::string, std::string>>& bindings) {
    std::string text = "<w";
    for (std::size_t i = 0; i < bindings.size(); ++i) {
        const std::string& prefix = bindings[i].first;
        const std::string& uri = bindings[i].second;
        const bool hidden = std::any_of(bindings.begin() + static_cast<std::ptrdiff_t>(i) + 1, bindings.end(),
                                        [&](const auto& later) { return later.first == prefix; });
        if (hidden || prefix == "xml") continue;
        text += prefix.empty() ? " xmlns=\"" : " xmlns:" + prefix + "=\"";
        for (const char c : uri) text += c == '&' ? std::string("&amp;") : std::string(1, c);
        text += '"';
    }
    text += '>';
    text += layer;
    return text + "</w>";
}

bool is_pseudonym(std::string_view text) {
    return text.size() == 34 && text.starts_with("1-") && std::all_of(text.begin() + 2, text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
           });
}

void judge(std::string_view document, std::string_view layer, const pseudonym::PassReport& report,
           std::string_view output) {
    static Reader outer, before, after;
    require(outer.read(document, kIn), "expat refuses the submission");
    require(before.read(wrapped(layer, outer.bindings), kIn), "expat refuses the TPF layer");
    require(after.read(output, kOut), "expat refuses the output");
    require(after.root == std::string(kOut) + "PseudonymisertMelding", "the output has another root");
    require(after.persons == report.persons && before.persons == report.persons, "persons are lost or invented");
    require(before.numbers.size() == report.persons && after.pseudonyms.size() == report.persons,
            "not one pseudonym for each person");
    require(before.sealed == after.sealed, "sealed data do not have their bytes");
    require(before.meaning == after.meaning, "sealed data mean something else in the output");
    for (const std::string& pseudonym : after.pseudonyms) {
        require(pseudonym.empty() || is_pseudonym(pseudonym), "something else than a pseudonym");
    }
    require(after.numbers.empty(), "a Fodselsnummer in the output");
    require(!has_number(after.clear_text), "something like an identity number in the output");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Keys keys;
    static const std::string fixed_document = fuzz::seed_document(fuzz::kSeedLayer);
    const fuzz::Input input(data, size);
    const bool inner = (input.mode & 1) != 0;
    const std::string_view layer = inner ? input.text : std::string_view(fuzz::kSeedLayer);
    const std::string document = inner ? fuzz::seed_document(layer) : std::string(input.text);

    pseudonym::PassOptions options;
    options.limits.xml = {.depth = 12, .name_bytes = 64, .attributes = 8, .tag_bytes = 512, .namespaces = 16};
    options.limits.leaf_bytes = 512;
    Sink sink;
    pseudonym::Pass pass(keys, options, sink);
    Status status = ok();
    if ((input.mode & 2) != 0) {
        fuzz::Splitter(input.seed).each(document, [&](std::string_view piece) {
            status = pass.feed(as_bytes(piece));
            return status.has_value();
        });
    } else {
        status = pass.feed(as_bytes(document));
    }
    if (!status) return 0;
    const auto report = pass.finish();
    if (report) judge(document, layer, report.value(), sink.text);
    return 0;
}
