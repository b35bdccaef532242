#pragma once
// A configuration text as a tree of values with their places: what is between the TOML library and the settings table.
// Nothing here knows a setting.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "conf/problem.h"

namespace tpf::conf {

/// One value. A plain value type.
struct Node {
    enum class Type { text, whole_number, fraction, boolean, time, list, section };
    struct Member;

    Type type = Type::section;
    Position at;
    std::string text;             ///< Type::text
    std::int64_t number = 0;      ///< Type::whole_number; Type::boolean: 0 or 1
    std::vector<Node> items;      ///< Type::list
    std::vector<Member> members;  ///< Type::section, by name

    /// "a text", "a whole number", …
    [[nodiscard]] std::string_view type_name() const noexcept;
    /// The member of that name, or nullptr.
    [[nodiscard]] const Node* find(std::string_view name) const noexcept;
};
struct Node::Member {
    std::string name;
    Position at;  ///< of the name
    Node value;
};

/// Reads TOML 1.0. One problem at most: a text that is not TOML is understood up to its first fault only.
[[nodiscard]] Checked<Node> read_toml(std::string_view text, std::string_view file);
/// From JSON, without positions: defaults and pinned settings take the same way as what an operator wrote. Null, and
/// what lies deeper than `depth`, become Type::fraction and numbers past int64 negative: no setting takes those.
[[nodiscard]] Node from_json(const nlohmann::json& json, unsigned depth = 8);
/// A text, whole number, truth or list of them as TOML.
[[nodiscard]] std::string toml_literal(const nlohmann::json& value);
/// In double quotes, control characters escaped, cut after 80 bytes: for problems.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace tpf::conf
