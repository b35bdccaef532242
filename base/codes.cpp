#include "base/codes.h"

#include <array>

namespace tpf {
namespace {

constexpr auto retry = Disposition::retry;
constexpr auto quarantine = Disposition::quarantine;
constexpr auto stop = Disposition::stop;

constexpr std::array kCodes = {
#define TPF_CODE(name, text, disposition, final_, status, apprec, sender, cause, remedy) \
    CodeInfo{Code::name, text, disposition, final_, status, apprec, sender, cause, remedy},
#include "base/codes.inc"
#undef TPF_CODE
};

}  // namespace

std::span<const CodeInfo> all_codes() noexcept {
    return kCodes;
}

const CodeInfo& info(Code code) noexcept {
    return kCodes[static_cast<std::size_t>(code)];
}

const CodeInfo* find_code(std::string_view name) noexcept {
    for (const CodeInfo& row : kCodes) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

std::string_view to_string(Disposition disposition) noexcept {
    switch (disposition) {
        case Disposition::retry:
            return "retry";
        case Disposition::quarantine:
            return "quarantine";
        case Disposition::stop:
            return "stop";
    }
    return "stop";
}

}  // namespace tpf
