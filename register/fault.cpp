#include "register/fault.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tpf::reg {
namespace {

constexpr std::array<std::pair<std::string_view, Fault>, 9> kKinds = {{
    {"slow", Fault::slow},
    {"cut", Fault::cut},
    {"lost", Fault::lost},
    {"hang", Fault::hang},
    {"500", Fault::status_500},
    {"503", Fault::status_503},
    {"429", Fault::status_429},
    {"wrong-digest", Fault::wrong_digest},
    {"wrong-signature", Fault::wrong_signature},
}};

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::string_view to_string(Fault fault) noexcept {
    for (const auto& [name, kind] : kKinds) {
        if (kind == fault) return name;
    }
    return "none";
}

Status FaultPlan::add(std::string_view spec) {
    const std::size_t colon = std::min(spec.find(':'), spec.size());
    const auto kind =
        std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return k.first == spec.substr(0, colon); });
    if (kind == kKinds.end()) return fail(Code::usage, "--fault names no known kind");
    Rule rule;
    rule.fault = kind->second;
    if (colon < spec.size()) {
        std::string_view count = spec.substr(colon + 1);
        const bool share = !count.empty() && count.back() == '%';
        if (share) count.remove_suffix(1);
        const auto number = parse_number(count);
        if (!number || (share && *number > 100)) return fail(Code::usage, "--fault is not KIND, KIND:N or KIND:P%");
        if (share) {
            rule.per_cent = static_cast<unsigned>(*number);
        } else {
            rule.left = number;
        }
    }
    rules_.push_back(rule);
    return ok();
}

Fault FaultPlan::next() {
    const std::lock_guard lock(mutex_);
    for (Rule& rule : rules_) {
        if (rule.per_cent && random_() % 100 >= *rule.per_cent) continue;
        if (rule.left && *rule.left == 0) continue;
        if (rule.left) --*rule.left;
        return rule.fault;
    }
    return Fault::none;
}

}  // namespace tpf::reg
