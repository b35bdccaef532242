// Any text as a configuration. Judge: whatever loads must dump and load again to equal settings, its pinned settings
// must read back, and no problem may carry a control character to the operator's terminal. An exception that escapes
// ends the run.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "conf/config.h"
#include "conf/output_settings.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

bool printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

void judge(std::string_view text) {
    using namespace tpf::conf;
    const auto config = parse(text, "fuzz.toml");
    if (!config) {
        require(!config.error().empty());
        for (const Problem& problem : config.error()) require(printable(problem.text()));
        return;
    }
    const auto again = parse(dump(config.value()), "again.toml");
    require(again && again.value() == config.value());
    require(digest(again.value()) == digest(config.value()));
    require(differences(config.value(), again.value()).empty());
    const auto pinned = parse_pinned(pinned_json(config.value()));
    require(pinned && pinned.value() == output_settings(config.value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) noexcept {
    judge({reinterpret_cast<const char*>(data), size});
    return 0;
}
