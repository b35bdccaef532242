#include "conf/dump.h"

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "base/sha256.h"

namespace tpf::conf {
namespace {

using Wanted = std::function<bool(const Facts&)>;

bool everything(const Facts&) {
    return true;
}

template <class Target>
nlohmann::json named_to_json(const Target& target, const Wanted& wanted) {
    nlohmann::json out = nlohmann::json::object();
    for (const auto& setting : settings_of<Target>()) {
        const Facts& facts = setting.facts;
        nlohmann::json value = setting.write(target);
        const bool absent =
            !facts.required && !facts.by_default && value.is_string() && value.get_ref<const std::string&>().empty();
        if (wanted(facts) && !absent) out[std::string(facts.key)] = std::move(value);
    }
    return out;
}

void add_lines(std::string& out, const nlohmann::json& settings) {
    for (const auto& [key, value] : settings.items()) out += key + " = " + toml_literal(value) + "\n";
}

bool is_named(std::string_view name) {
    const auto& all = sections();
    return std::any_of(all.begin(), all.end(), [&](const Section& s) { return s.name == name && s.named; });
}

/// Each setting by its full name; those of a named section under "source.oslo" + "." + key.
using Flat = std::map<std::string, nlohmann::json>;
Flat flatten(const Config& config, const Wanted& wanted) {
    Flat out;
    const nlohmann::json all = to_json(config, wanted);
    for (const auto& [section, settings] : all.items()) {
        for (const auto& [key, value] : settings.items()) out[section + "." + key] = value;
    }
    return out;
}

/// Both hold a register or source of this name: say which of its settings differ.
void add_inner(const std::string& name, const nlohmann::json& a, const nlohmann::json& b,
               std::vector<std::string>& out) {
    nlohmann::json both = a;
    both.update(b);
    for (const auto& [key, value] : both.items()) {
        if (a.value(key, nlohmann::json()) != b.value(key, nlohmann::json())) out.push_back(name + "." + key);
    }
}

std::vector<std::string> compare(const Config& before, const Config& after, const Wanted& wanted) {
    const Flat old_settings = flatten(before, wanted);
    const Flat new_settings = flatten(after, wanted);
    std::vector<std::string> out;
    for (const auto& [name, value] : old_settings) {
        const auto other = new_settings.find(name);
        if (other == new_settings.end()) {
            out.push_back(name);
        } else if (value.is_object()) {
            add_inner(name, value, other->second, out);
        } else if (value != other->second) {
            out.push_back(name);
        }
    }
    for (const auto& [name, value] : new_settings) {
        if (!old_settings.contains(name)) out.push_back(name);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

nlohmann::json to_json(const Config& config, const Wanted& wanted) {
    nlohmann::json out = nlohmann::json::object();
    for (const auto& setting : config_settings()) {
        const Facts& facts = setting.facts;
        if (wanted(facts)) out[std::string(facts.section)][std::string(facts.key)] = setting.write(config);
    }
    for (const auto& [name, source] : config.fixed.sources) {
        auto settings = named_to_json(source, wanted);
        if (!settings.empty()) out["source"][name] = std::move(settings);
    }
    for (const auto& [name, reg] : config.reloadable.registers) {
        auto settings = named_to_json(reg, wanted);
        if (!settings.empty()) out["register"][name.str()] = std::move(settings);
    }
    return out;
}

std::string dump(const Config& config) {
    std::string out;
    const nlohmann::json all = to_json(config, everything);
    for (const auto& [section, settings] : all.items()) {
        if (!is_named(section)) {
            out += "[" + section + "]\n";
            add_lines(out, settings);
            continue;
        }
        for (const auto& [name, inner] : settings.items()) {
            out += "[" + section + "." + name + "]\n";
            add_lines(out, inner);
        }
    }
    return out;
}

std::string digest(const Config& config) {
    return hex(sha256(to_json(config, everything).dump(-1, ' ', true)));
}

std::vector<std::string> differences(const Config& before, const Config& after) {
    return compare(before, after, everything);
}

std::vector<std::string> needs_restart(const Config& before, const Config& after) {
    return compare(before, after, [](const Facts& facts) { return !facts.reloadable; });
}

}  // namespace tpf::conf
