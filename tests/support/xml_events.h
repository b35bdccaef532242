#pragma once
// What a document says, as one text that two parsers can be compared by: names with their namespaces, attributes,
// declarations, character data. The scanner's side and expat's, which is the judge.

#include <expat.h>

#include <string>
#include <string_view>

#include "pseudonym/xml_scanner.h"

namespace tpf::test {

/// One text for all events; line ends read as XML 1.0 § 2.11 wants them.
class EventText {
  public:
    void begin_start() { mark('S'); }
    void part(char kind, std::string_view text) { mark(kind).append(text); }
    void end_start() { mark('>'); }
    void end() { mark('E'); }
    /// Character data as it stands in the document.
    void data(std::string_view raw) {
        if (!in_text_) mark('T');
        in_text_ = true;
        for (const char c : raw) {
            if (c == '\n' && after_cr_) {
                after_cr_ = false;
                continue;
            }
            after_cr_ = c == '\r';
            text_ += after_cr_ ? '\n' : c;
        }
    }
    /// Character data that needs no more reading.
    void read_data(std::string_view value) {
        if (!in_text_) mark('T');
        in_text_ = true;
        after_cr_ = false;
        text_.append(value);
    }
    void boundary() noexcept { after_cr_ = false; }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    void clear() noexcept {
        text_.clear();
        in_text_ = false;
        after_cr_ = false;
    }

  private:
    std::string& mark(char kind) {
        in_text_ = false;
        after_cr_ = false;
        text_ += '\x01';
        text_ += kind;
        return text_;
    }
    std::string text_;
    bool in_text_ = false;
    bool after_cr_ = false;
};

/// The scanner's side. Keeps the raw bytes too.
class EventRecorder : public pseudonym::XmlHandler {
  public:
    [[nodiscard]] Status start(const pseudonym::XmlStart& tag) override {
        for (const auto& binding : tag.declared) {
            events.part('P', binding.prefix);
            events.part('=', binding.uri);
        }
        events.begin_start();
        name(tag.name);
        for (const auto& attribute : tag.attributes) {
            events.part('A', "");
            name(attribute.name);
            events.part('=', attribute.value);
        }
        events.end_start();
        raw += tag.raw;
        return ok();
    }
    [[nodiscard]] Status end(const pseudonym::XmlEnd& tag) override {
        events.end();
        raw += tag.raw;
        return ok();
    }
    [[nodiscard]] Status text(std::string_view raw_text, std::string_view value) override {
        if (raw_text.data() == value.data()) {
            events.data(value);
        } else {
            events.read_data(value);
        }
        raw += raw_text;
        return ok();
    }
    [[nodiscard]] Result<std::size_t> base64_run(std::string_view bytes) override {
        if (!runs) return std::size_t{0};
        std::size_t run = 0;
        while (run < bytes.size() && run < kLongestRun && is_base64(bytes[run])) ++run;
        events.data(bytes.substr(0, run));
        raw += bytes.substr(0, run);
        return run;
    }
    [[nodiscard]] Status extra(std::string_view raw_text, std::string_view value) override {
        if (value.empty()) {
            events.boundary();
        } else {
            events.data(value);
        }
        raw += raw_text;
        return ok();
    }
    EventText events;
    std::string raw;
    bool runs = false;  ///< takes base64 as XmlHandler::base64_run offers it

  private:
    static constexpr std::size_t kLongestRun = 5;
    static bool is_base64(char c) noexcept {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    }
    void name(const pseudonym::XmlName& n) {
        events.part('U', n.uri);
        events.part('N', n.local);
    }
};

/// expat's side: one document after the other.
class ExpatEvents {
  public:
    ExpatEvents() : parser_(XML_ParserCreateNS(nullptr, kSeparator)) { set_handlers(); }
    ~ExpatEvents() { XML_ParserFree(parser_); }
    ExpatEvents(const ExpatEvents&) = delete;
    ExpatEvents& operator=(const ExpatEvents&) = delete;

    /// Whether expat takes the document (as UTF-8, whatever it declares); its events are in `events` then.
    [[nodiscard]] bool parse(std::string_view document) {
        events.clear();
        XML_ParserReset(parser_, "UTF-8");
        set_handlers();
        return XML_Parse(parser_, document.data(), static_cast<int>(document.size()), 1) == XML_STATUS_OK;
    }
    EventText events;

  private:
    static constexpr char kSeparator = '\x01';  // no XML character, so in no name

    void set_handlers() {
        XML_SetUserData(parser_, this);
        XML_SetNamespaceDeclHandler(parser_, on_namespace, nullptr);
        XML_SetElementHandler(parser_, on_start, on_end);
        XML_SetCharacterDataHandler(parser_, on_text);
    }
    static EventText& events_of(void* user) { return static_cast<ExpatEvents*>(user)->events; }
    static void name(EventText& out, std::string_view joined) {
        const std::size_t at = joined.rfind(kSeparator);
        out.part('U', at == std::string_view::npos ? std::string_view() : joined.substr(0, at));
        out.part('N', at == std::string_view::npos ? joined : joined.substr(at + 1));
    }
    static void XMLCALL on_namespace(void* user, const XML_Char* prefix, const XML_Char* uri) {
        events_of(user).part('P', prefix == nullptr ? "" : prefix);
        events_of(user).part('=', uri == nullptr ? "" : uri);
    }
    static void XMLCALL on_start(void* user, const XML_Char* joined, const XML_Char** attributes) {
        EventText& out = events_of(user);
        out.begin_start();
        name(out, joined);
        for (; *attributes != nullptr; attributes += 2) {
            out.part('A', "");
            name(out, attributes[0]);
            out.part('=', attributes[1]);
        }
        out.end_start();
    }
    static void XMLCALL on_end(void* user, const XML_Char*) { events_of(user).end(); }
    static void XMLCALL on_text(void* user, const XML_Char* text, int size) {
        events_of(user).read_data({text, static_cast<std::size_t>(size)});
    }
    XML_Parser parser_;
};

}  // namespace tpf::test
