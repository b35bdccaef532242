#pragma once
// The types that a setting's value can have: how each is read from a Node, what it accepts, and how it is written back.
// A type has: `Value`; read() (nothing, and at least one complaint, when the value is not acceptable); write() (JSON
// that read() takes back); name() and allowed() for the documentation.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/config.h"
#include "conf/node.h"

namespace tpf::conf {

/// A fault in one value; file, key and what would be right are added by whoever knows the setting.
struct Complaint {
    Position at;
    std::string what;
};
using Complaints = std::vector<Complaint>;

struct WholeNumber {
    using Value = std::uint64_t;
    std::uint64_t least;
    std::uint64_t most;
    [[nodiscard]] std::optional<Value> read(const Node& node, Complaints& complaints) const;
    [[nodiscard]] static nlohmann::json write(Value value) { return value; }
    [[nodiscard]] static std::string name() { return "whole number"; }
    [[nodiscard]] std::string allowed() const;
};

struct YesNo {
    using Value = bool;
    [[nodiscard]] static std::optional<Value> read(const Node& node, Complaints& complaints);
    [[nodiscard]] static nlohmann::json write(Value value) { return value; }
    [[nodiscard]] static std::string name() { return "true or false"; }
    [[nodiscard]] static std::string allowed() { return "`true` or `false`"; }
};

/// Bytes: a whole number, or a text "64 MiB" (B, KiB, MiB, GiB, TiB; one space or none).
struct Size {
    using Value = std::uint64_t;
    std::uint64_t least;
    std::uint64_t most;
    [[nodiscard]] std::optional<Value> read(const Node& node, Complaints& complaints) const;
    [[nodiscard]] static nlohmann::json write(Value value) { return value; }
    [[nodiscard]] static std::string name() { return "size"; }
    [[nodiscard]] std::string allowed() const;
};
/// The largest unit that divides it: "100 GiB", "68719476704 B".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// A text of one grammar.
struct Text {
    using Value = std::string;
    std::string_view grammar;  ///< as shown to people
    bool (*matches)(std::string_view text);
    [[nodiscard]] std::optional<Value> read(const Node& node, Complaints& complaints) const;
    [[nodiscard]] static nlohmann::json write(const Value& value) { return value; }
    [[nodiscard]] static std::string name() { return "text"; }
    [[nodiscard]] std::string allowed() const { return std::string(grammar); }
};
[[nodiscard]] bool is_installation_name(std::string_view text);  ///< [a-z0-9.-]{1,64}
[[nodiscard]] bool is_source_name(std::string_view text);        ///< [a-z0-9-]{1,32}, not "operator"
[[nodiscard]] bool is_group_or_empty(std::string_view text);
[[nodiscard]] bool is_pkcs11_uri_or_empty(std::string_view text);  ///< base/pkcs11_uri.h
[[nodiscard]] bool is_user(std::string_view text);                 ///< a POSIX user name, or a uid in decimal

/// Absolute, without "." and ".." parts, doubled or final slashes and control characters.
struct AbsolutePath {
    using Value = Path;
    std::size_t most_bytes = 4095;
    bool may_be_empty = false;
    [[nodiscard]] std::optional<Value> read(const Node& node, Complaints& complaints) const;
    [[nodiscard]] static nlohmann::json write(const Value& value) { return value.native(); }
    [[nodiscard]] static std::string name() { return "path"; }
    [[nodiscard]] std::string allowed() const;
};

struct HttpsUrl {
    using Value = Url;
    [[nodiscard]] static std::optional<Value> read(const Node& node, Complaints& complaints);
    [[nodiscard]] static nlohmann::json write(const Value& value) { return value.str(); }
    [[nodiscard]] static std::string name() { return "url"; }
    [[nodiscard]] static std::string allowed() { return "https://HOST[:PORT][/PATH]"; }
};

/// "0301-00-974761076"
struct Sender {
    using Value = std::optional<Avsender>;
    [[nodiscard]] static std::optional<Value> read(const Node& node, Complaints& complaints);
    [[nodiscard]] static nlohmann::json write(const Value& value) { return value ? value->str() : ""; }
    [[nodiscard]] static std::string name() { return "text"; }
    [[nodiscard]] static std::string allowed() { return "KOMMUNENUMMER-BYDELSNUMMER-ORGANISASJONSNUMMER"; }
};

/// 1 to 4 versions, each 1 to 9999, newest (highest) first.
struct Versions {
    using Value = std::vector<unsigned>;
    [[nodiscard]] static std::optional<Value> read(const Node& node, Complaints& complaints);
    [[nodiscard]] static nlohmann::json write(const Value& value) { return value; }
    [[nodiscard]] static std::string name() { return "list of whole numbers"; }
    [[nodiscard]] static std::string allowed() { return "1 to 4 different numbers from 1 to 9999, highest first"; }
};

/// The words for an enumeration's values, in the order of the enumeration.
template <class E>
using Words = std::vector<std::pair<std::string_view, E>>;

/// `"a"`, `"b"` or `"c"`.
[[nodiscard]] std::string alternatives(const std::vector<std::string_view>& words, std::string_view last_joined_by);
/// The index of the text among `words`; else a complaint, with the nearest word where one is near.
[[nodiscard]] std::optional<std::size_t> read_word(const Node& node, const std::vector<std::string_view>& words,
                                                   Complaints& complaints);
template <class E>
[[nodiscard]] std::vector<std::string_view> only_words(const Words<E>& words) {
    std::vector<std::string_view> out;
    for (const auto& [word, value] : words) out.push_back(word);
    return out;
}
template <class E>
[[nodiscard]] std::string_view word_of(const Words<E>& words, E wanted) {
    for (const auto& [word, value] : words) {
        if (value == wanted) return word;
    }
    return {};
}

template <class E>
struct Choice {
    using Value = E;
    Words<E> words;
    [[nodiscard]] std::optional<E> read(const Node& node, Complaints& complaints) const {
        const auto index = read_word(node, only_words(words), complaints);
        return index ? std::optional(words[*index].second) : std::nullopt;
    }
    [[nodiscard]] nlohmann::json write(E value) const { return word_of(words, value); }
    [[nodiscard]] static std::string name() { return "text"; }
    [[nodiscard]] std::string allowed() const { return alternatives(only_words(words), "or"); }
};

/// Nothing, and a complaint, unless the node is a list with something in it.
[[nodiscard]] const std::vector<Node>* read_list(const Node& node, Complaints& complaints);

/// One or more of the words, each once, in any order.
template <class E>
struct Choices {
    using Value = std::set<E>;
    Words<E> words;
    [[nodiscard]] std::optional<Value> read(const Node& node, Complaints& complaints) const {
        const std::size_t before = complaints.size();
        Value value;
        if (const auto* items = read_list(node, complaints)) {
            for (const Node& item : *items) {
                const auto index = read_word(item, only_words(words), complaints);
                if (index && !value.insert(words[*index].second).second) {
                    complaints.push_back({item.at, in_quotes(item.text) + " stands there twice"});
                }
            }
        }
        return complaints.size() == before ? std::optional(std::move(value)) : std::nullopt;
    }
    [[nodiscard]] nlohmann::json write(const Value& value) const {
        nlohmann::json out = nlohmann::json::array();
        for (const E item : value) out.push_back(word_of(words, item));
        return out;
    }
    [[nodiscard]] static std::string name() { return "list of texts"; }
    [[nodiscard]] std::string allowed() const { return "one or more of " + alternatives(only_words(words), "and"); }
};

[[nodiscard]] const Words<SourceKind>& source_kind_words();
[[nodiscard]] const Words<NumberKind>& number_kind_words();
[[nodiscard]] const Words<ControlRule>& control_rule_words();
[[nodiscard]] const Words<OnInvalid>& on_invalid_words();
[[nodiscard]] const Words<Installation>& installation_words();
[[nodiscard]] const Words<log::Level>& level_words();
[[nodiscard]] const Words<MemoryLock>& memory_lock_words();

/// The nearest of `known` to `text` by edit distance (insert, delete, replace, swap of neighbours), when it is near
/// enough to be meant: at most a third of the letters differ, and at most 3.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view text,
                                                      const std::vector<std::string_view>& known);

}  // namespace tpf::conf
