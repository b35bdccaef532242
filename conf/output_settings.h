#pragma once
// The settings that a message's output depends on (formats.md § 3, last paragraph): pinned in the journal when the
// message is claimed and used for every later pass, so that the same bytes come out whatever the configuration says by
// then.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace tpf::conf {

/// What the output depends on for one register.
struct RegisterOutput {
    std::set<NumberKind> kinds;
    std::set<ControlRule> rules;
    OnInvalid on_invalid = OnInvalid::mark;
    std::vector<unsigned> pseudonym_versions;  ///< newest first
    friend bool operator==(const RegisterOutput&, const RegisterOutput&) = default;
};

struct OutputSettings {
    Installation installation = Installation::test;
    MessageLimits limits;
    std::map<RegisterName, RegisterOutput> registers;  ///< all of them: which it is shows only in the message
    friend bool operator==(const OutputSettings&, const OutputSettings&) = default;
};

[[nodiscard]] OutputSettings output_settings(const Config& config);

/// Canonical JSON: keys sorted, no white space, ASCII; equal settings give equal text. Worked example (one register):
/// {"installation":{"kind":"test"},"limits":{"attributes":16,"depth":32,"gcm_bytes":68719476704,"leaf_bytes":4096,
/// "message_bytes":107374182400,"name_bytes":256,"persons":10000000,"tag_bytes":16384},"register":{"IPLOS":{
/// "kinds":["fodselsnummer","d-nummer","fh-nummer","duf-nummer"],"on_invalid":"mark","pseudonym_versions":[1],
/// "rules":["old","2032"]}},"version":1}
[[nodiscard]] std::string pinned_json(const OutputSettings& settings);
[[nodiscard]] inline std::string pinned_json(const Config& config) {
    return pinned_json(output_settings(config));
}
/// Reads what pinned_json wrote. Anything else (a missing or unknown member, a value out of its bounds) is
/// Code::journal: the text comes from our own journal and nowhere else.
[[nodiscard]] Result<OutputSettings> parse_pinned(std::string_view json);

}  // namespace tpf::conf
