#pragma once
// The settings table: every setting once, with all that is said and done about it. Parser, validation, sample file,
// documentation, dump and the pinned settings are loops over it.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "conf/config.h"
#include "conf/value.h"

namespace tpf::conf {

/// What is said about a setting.
struct Facts {
    std::string_view section;  ///< "limits"; "source" and "register" stand once per NAME
    std::string_view key;
    /// Used where the file says nothing, as an operator would write it. None: the setting is required, or optional.
    std::optional<nlohmann::json> by_default = std::nullopt;
    bool required = false;             ///< without a default only
    nlohmann::json example = nullptr;  ///< for settings without a default
    std::string_view unit = {};
    bool reloadable = false;  ///< lives in Config::reloadable
    bool pinned = false;      ///< the output of a message depends on it (output_settings.h)
    std::string_view what = {};
    std::string type = {};     ///< filled in from the value's type
    std::string allowed = {};  ///< likewise

    /// The default, or the example.
    [[nodiscard]] const nlohmann::json& shown() const { return by_default ? *by_default : example; }
};

/// A setting of Target: Config, or one Source or Register.
template <class Target>
struct Setting {
    Facts facts;
    /// Sets the member when the node is acceptable, else complains.
    std::function<void(const Node&, Target&, Complaints&)> read;
    /// In a form that read takes; canonical: equal values, equal JSON.
    std::function<nlohmann::json(const Target&)> write;
};

/// A section and what it is for.
struct Section {
    std::string_view name;
    std::string_view what;
    bool named;  ///< [name.NAME], any number of times
};

[[nodiscard]] const std::vector<Section>& sections();
[[nodiscard]] const std::vector<Setting<Config>>& config_settings();
[[nodiscard]] const std::vector<Setting<Source>>& source_settings();
[[nodiscard]] const std::vector<Setting<Register>>& register_settings();
/// The facts of all of them, in the order of the sections.
[[nodiscard]] const std::vector<Facts>& all_facts();

/// The table for a Target.
template <class Target>
[[nodiscard]] const std::vector<Setting<Target>>& settings_of() {
    if constexpr (std::is_same_v<Target, Source>) {
        return source_settings();
    } else if constexpr (std::is_same_v<Target, Register>) {
        return register_settings();
    } else {
        return config_settings();
    }
}

}  // namespace tpf::conf
