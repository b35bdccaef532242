#include "conf/output_settings.h"

#include <nlohmann/json.hpp>

#include "conf/dump.h"
#include "conf/settings.h"

namespace tpf::conf {
namespace {

constexpr int kVersion = 1;

auto damaged(std::string_view why) {
    return fail(Code::journal, "the settings pinned with a message are not understood: " + std::string(why));
}

/// Reads the pinned settings of one section; all of them must be there, and nothing else.
template <class Target>
Status read_pinned(const nlohmann::json& json, std::string_view section, Target& target) {
    if (!json.is_object()) return damaged("a section is missing");
    std::size_t known = 0;
    for (const auto& setting : settings_of<Target>()) {
        const Facts& facts = setting.facts;
        if (!facts.pinned || facts.section != section) continue;
        const auto it = json.find(facts.key);
        if (it == json.end()) return damaged("a setting is missing");
        Complaints complaints;
        setting.read(from_json(*it), target, complaints);
        if (!complaints.empty()) return damaged(std::string(facts.key) + ": " + complaints.front().what);
        ++known;
    }
    if (known != json.size()) return damaged("a setting is not known");
    return ok();
}

Status read_registers(const nlohmann::json& json, Config& config) {
    if (!json.is_object() || json.empty()) return damaged("no register");
    for (const auto& [text, settings] : json.items()) {
        const auto name = RegisterName::parse(text);
        if (!name) return damaged("a register's name");
        Register reg;
        TPF_TRY(read_pinned(settings, "register", reg));
        config.reloadable.registers.emplace(name.value(), std::move(reg));
    }
    return ok();
}

Config put_back(const OutputSettings& settings) {
    Config config;
    config.fixed.installation.kind = settings.installation;
    static_cast<MessageLimits&>(config.reloadable.limits) = settings.limits;
    for (const auto& [name, output] : settings.registers) {
        Register reg;
        reg.kinds = output.kinds;
        reg.rules = output.rules;
        reg.on_invalid = output.on_invalid;
        reg.pseudonym_versions = output.pseudonym_versions;
        config.reloadable.registers.emplace(name, std::move(reg));
    }
    return config;
}

}  // namespace

OutputSettings output_settings(const Config& config) {
    OutputSettings out;
    out.installation = config.fixed.installation.kind;
    out.limits = config.reloadable.limits;
    for (const auto& [name, reg] : config.reloadable.registers) {
        out.registers.emplace(name, RegisterOutput{reg.kinds, reg.rules, reg.on_invalid, reg.pseudonym_versions});
    }
    return out;
}

std::string pinned_json(const OutputSettings& settings) {
    nlohmann::json out = to_json(put_back(settings), [](const Facts& facts) { return facts.pinned; });
    out["version"] = kVersion;
    return out.dump(-1, ' ', true);
}

Result<OutputSettings> parse_pinned(std::string_view json) {
    const auto root = nlohmann::json::parse(json, nullptr, false);
    if (!root.is_object()) return damaged("not a JSON object");
    if (root.size() != 4 || root.value("version", nlohmann::json()) != kVersion) return damaged("unknown version");
    const auto section = [&](const char* name) { return root.value(name, nlohmann::json()); };
    Config config;
    TPF_TRY(read_pinned(section("installation"), "installation", config));
    TPF_TRY(read_pinned(section("limits"), "limits", config));
    TPF_TRY(read_registers(section("register"), config));
    return output_settings(config);
}

}  // namespace tpf::conf
