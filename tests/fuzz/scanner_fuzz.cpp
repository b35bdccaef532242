// The scanner against expat: whatever it accepts, expat accepts with the same elements, namespaces, attributes and
// text. And against itself: how a document is cut changes nothing. Mode bit 0: comments, CDATA and instructions
// allowed; bit 1: any declared encoding; bit 2: lines; bit 3: which of the two readings takes base64 in runs.
#include "pseudonym/xml_scanner.h"
#include "pseudonym/xml_syntax.h"
#include "tests/fuzz/fuzz_support.h"
#include "tests/support/xml_events.h"

namespace {

using namespace tpf;
using fuzz::require;

struct Outcome {
    bool accepted = false;
    Code code{};
    std::string events;
    std::string raw;
};

template <class Feed>
Outcome scan(const pseudonym::XmlOptions& options, bool runs, Feed feed) {
    test::EventRecorder recorder;
    recorder.runs = runs;
    pseudonym::XmlScanner scanner(recorder, options);
    Status status = feed(scanner);
    if (status) status = scanner.finish();
    if (!status) return {false, status.error().code(), {}, {}};
    return {true, {}, recorder.events.text(), std::move(recorder.raw)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static test::ExpatEvents judge;
    const fuzz::Input input(data, size);
    pseudonym::XmlOptions options;
    options.limits = {.depth = 8, .name_bytes = 24, .attributes = 6, .tag_bytes = 256, .namespaces = 8};
    options.extras = (input.mode & 1) != 0;
    options.any_declared_encoding = (input.mode & 2) != 0;
    options.lines = (input.mode & 4) != 0;

    const bool whole_in_runs = (input.mode & 8) != 0;
    const Outcome whole = scan(options, whole_in_runs, [&](auto& scanner) { return scanner.feed(input.text); });
    const Outcome cut = scan(options, !whole_in_runs, [&](auto& scanner) {
        Status status = ok();
        fuzz::Splitter(input.seed).each(input.text, [&](std::string_view piece) {
            status = scanner.feed(piece);
            return status.has_value();
        });
        return status;
    });
    require(whole.accepted == cut.accepted, "the verdict depends on how the document is cut or taken");
    if (!whole.accepted) {
        require(whole.code == cut.code, "the code depends on how the document is cut or taken");
        return 0;
    }
    require(whole.events == cut.events && whole.raw == cut.raw,
            "what is told depends on how the document is cut or taken");
    require(judge.parse(input.text), "expat refuses what the scanner accepts");
    require(judge.events.text() == whole.events, "expat reads something else");
    if (!options.extras) {
        require(pseudonym::trim_xml_space(input.text).ends_with(whole.raw), "the raw bytes are not the document's");
    }
    return 0;
}
