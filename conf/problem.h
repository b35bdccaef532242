#pragma once
// What is wrong with a configuration file: one Problem per fault, all of a file at once.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace tpf::conf {

/// Where something stands in the file. Both count from 1; 0 means that the file as a whole is meant.
struct Position {
    unsigned line = 0;
    unsigned column = 0;  ///< in characters, not bytes
    friend bool operator==(const Position&, const Position&) = default;
};

/// One fault. Texts are English, lower case, without a full stop, safe to print (control characters are escaped).
struct Problem {
    std::string file;
    Position at;
    std::string key;    ///< "limits.depth", "register.IPLOS.url", "source.oslo"; empty: the file as a whole
    std::string what;   ///< what is wrong
    std::string right;  ///< what would be right; empty only where `what` says it already
    /// "tpf.toml:12:9: limits.depth: must be a whole number, but is a text; write for example: depth = 32"
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Problem&, const Problem&) = default;
};

/// Never empty where it stands for a failure. Ordered by position.
using Problems = std::vector<Problem>;

/// A value, or everything that is wrong.
template <class T>
using Checked = boost::outcome_v2::basic_result<T, Problems, boost::outcome_v2::policy::terminate>;

/// One line per problem, each ended by a line feed.
[[nodiscard]] std::string text(const Problems& problems);
/// Code::config; the detail is text(problems) without the last line feed.
[[nodiscard]] Error as_error(const Problems& problems);

}  // namespace tpf::conf
