// The export reader against expat: whatever it accepts, expat accepts, with the same persons, the same numbers and
// contents that say the same — and each content says it standing alone. And against itself: how a file is cut changes
// nothing. Mode bit 0: the text is brought to UTF-16 first, where it can be; bit 1: big-endian.
#include <expat.h>

#include <algorithm>

#include "base/transcode.h"
#include "krypteringsmodul/export_reader.h"
#include "pseudonym/xml_syntax.h"
#include "tests/fuzz/fuzz_support.h"
#include "tests/support/xml_events.h"

namespace {

using namespace tpf;
using fuzz::require;

struct Person {
    std::string number;
    std::string content;  ///< of the reader: raw; of the judge: its events
    friend bool operator==(const Person&, const Person&) = default;
};

struct Outcome final : krypteringsmodul::PersonSink {
    Status header(const krypteringsmodul::ExportHeader&) override {
        ++headers;
        return ok();
    }
    Status person(krypteringsmodul::ExportPerson& person) override {
        persons.push_back({person.number, person.content});
        return ok();
    }
    int headers = 0;
    std::vector<Person> persons;
    std::string told;
};

template <class Feed>
Outcome read(const krypteringsmodul::ReadOptions& options, Feed feed) {
    Outcome outcome;
    krypteringsmodul::ExportReader reader(outcome, options);
    Status status = feed(reader);
    if (status) status = reader.finish();
    // "near line N" is the last tag's line as far as the scanner knew it: that depends on how the file is cut.
    if (!status) outcome.told = status.error().detail().substr(0, status.error().detail().find(" (ved linje"));
    require(!status || reader.persons() == outcome.persons.size(), "the count is not the number of persons");
    return outcome;
}

/// Line ends as one character, whoever read them.
std::string plain(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        out += text[i] == '\r' ? '\n' : text[i];
    }
    return out;
}

/// Takes the persons out of a whole export file with expat, in the encoding that expat finds.
class Judge {
  public:
    Judge() : parser_(XML_ParserCreateNS(nullptr, kSeparator)) {}
    ~Judge() { XML_ParserFree(parser_); }
    Judge(const Judge&) = delete;
    Judge& operator=(const Judge&) = delete;

    bool parse(std::string_view document) {
        XML_ParserReset(parser_, nullptr);
        XML_SetUserData(parser_, this);
        XML_SetNamespaceDeclHandler(parser_, on_namespace, nullptr);
        XML_SetElementHandler(parser_, on_start, on_end);
        XML_SetCharacterDataHandler(parser_, on_text);
        persons.clear();
        depth_ = 0;
        part_ = Part::outside;
        return XML_Parse(parser_, document.data(), static_cast<int>(document.size()), 1) == XML_STATUS_OK;
    }
    std::vector<Person> persons;

  private:
    enum class Part { outside, person, number, content };
    static constexpr char kSeparator = '\x01';

    static Judge& self(void* user) { return *static_cast<Judge*>(user); }
    static void XMLCALL on_namespace(void* user, const XML_Char* prefix, const XML_Char* uri) {
        Judge& judge = self(user);
        if (judge.part_ != Part::content) return;
        judge.events_.part('P', prefix == nullptr ? "" : prefix);
        judge.events_.part('=', uri == nullptr ? "" : uri);
    }
    static void name(test::EventText& out, std::string_view joined) {
        const std::size_t at = joined.rfind(kSeparator);
        out.part('U', at == std::string_view::npos ? std::string_view() : joined.substr(0, at));
        out.part('N', at == std::string_view::npos ? joined : joined.substr(at + 1));
    }
    static void XMLCALL on_start(void* user, const XML_Char* joined, const XML_Char** attributes) {
        Judge& judge = self(user);
        ++judge.depth_;
        if (judge.part_ == Part::content) {
            judge.events_.begin_start();
            name(judge.events_, joined);
            for (; *attributes != nullptr; attributes += 2) {
                judge.events_.part('A', "");
                name(judge.events_, attributes[0]);
                judge.events_.part('=', attributes[1]);
            }
            judge.events_.end_start();
        } else if (judge.depth_ == 2 && std::string_view(joined) == "Person") {
            judge.part_ = Part::person;
            judge.persons.emplace_back();
        } else if (judge.part_ == Part::person) {
            judge.part_ = Part::number;
        }
    }
    static void XMLCALL on_end(void* user, const XML_Char*) {
        Judge& judge = self(user);
        if (judge.part_ == Part::number) {
            judge.part_ = Part::content;
            judge.events_.clear();
        } else if (judge.part_ == Part::content && judge.depth_ == 2) {
            judge.persons.back().content = judge.events_.text();
            judge.part_ = Part::outside;
        } else if (judge.part_ == Part::content) {
            judge.events_.end();
        }
        --judge.depth_;
    }
    static void XMLCALL on_text(void* user, const XML_Char* text, int size) {
        Judge& judge = self(user);
        const std::string_view piece(text, static_cast<std::size_t>(size));
        if (judge.part_ == Part::number) judge.persons.back().number += piece;
        if (judge.part_ == Part::content) judge.events_.read_data(piece);
    }

    XML_Parser parser_;
    std::size_t depth_ = 0;
    Part part_ = Part::outside;
    test::EventText events_;
};

/// The events of what stands in one element, as the reader handed it over.
std::string events_alone(const std::string& content) {
    static test::ExpatEvents alone;
    test::EventText wrapper;
    wrapper.begin_start();
    wrapper.part('U', "");
    wrapper.part('N', "P");
    wrapper.end_start();
    require(alone.parse("<P>" + content + "</P>"), "a person's content does not stand alone");
    const std::string_view all = alone.events.text();
    require(all.starts_with(wrapper.text()) && all.ends_with("\x01"
                                                             "E"),
            "a person's content ends the element around it");
    return std::string(all.substr(wrapper.text().size(), all.size() - wrapper.text().size() - 2));
}

std::string in_encoding(std::string_view text, std::uint8_t mode) {
    if ((mode & 1) == 0) return std::string(text);
    auto utf16 = to_utf16le(text);
    if (!utf16) return std::string(text);
    std::string out = std::move(utf16).value();
    if ((mode & 2) != 0) {
        for (std::size_t i = 0; i + 1 < out.size(); i += 2) std::swap(out[i], out[i + 1]);
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Judge judge;
    const fuzz::Input input(data, size);
    const std::string text = in_encoding(input.text, input.mode);
    krypteringsmodul::PersonIndex index;
    krypteringsmodul::ReadOptions options;
    options.max_tag_bytes = 1024;

    const Outcome whole = read(options, [&](auto& reader) { return reader.feed(text); });
    const Outcome cut = read(options, [&](auto& reader) {
        Status status = ok();
        fuzz::Splitter(input.seed).each(text, [&](std::string_view piece) {
            status = reader.feed(piece);
            return status.has_value();
        });
        return status;
    });
    require(whole.told == cut.told, "what is told depends on how the file is cut");
    krypteringsmodul::ReadOptions counting = options;
    counting.contents = false;
    counting.note = &index;
    const Outcome counted = read(counting, [&](auto& reader) { return reader.feed(text); });
    require(counted.told == whole.told && counted.persons.size() == whole.persons.size(), "the two readings differ");
    if (!whole.told.empty()) return 0;

    require(whole.headers == 1, "a file without a header");
    if (index.usable()) {
        krypteringsmodul::ReadOptions following = options;
        following.follow = &index;
        const Outcome cut_out = read(following, [&](auto& reader) {
            Status status = ok();
            fuzz::Splitter(input.seed).each(text, [&](std::string_view piece) {
                status = reader.feed(piece);
                return status.has_value();
            });
            return status;
        });
        require(cut_out.told.empty(), "the second reading finds a fault");
        require(cut_out.persons == whole.persons, "the second reading finds other persons");
    }
    require(judge.parse(text), "expat refuses what the reader accepts");
    require(judge.persons.size() == whole.persons.size(), "expat counts other persons");
    for (std::size_t i = 0; i < whole.persons.size(); ++i) {
        require(whole.persons[i].number == cut.persons[i].number && whole.persons[i].content == cut.persons[i].content,
                "a person depends on how the file is cut");
        const std::string number = plain(judge.persons[i].number);
        require(pseudonym::trim_xml_space(number) == plain(whole.persons[i].number), "expat reads another number");
        require(judge.persons[i].content == events_alone(whole.persons[i].content), "expat reads another content");
    }
    return 0;
}
