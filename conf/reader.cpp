#include "conf/reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tpf::conf {
namespace {

const Section* find_section(std::string_view name) {
    const auto& all = sections();
    const auto it = std::find_if(all.begin(), all.end(), [&](const Section& s) { return s.name == name; });
    return it == all.end() ? nullptr : &*it;
}

std::string heading(const Section& section) {
    return "[" + std::string(section.name) + (section.named ? ".NAME]" : "]");
}

/// "1 to 9; for example: depth = 32"
std::string right_for(const Facts& facts) {
    return "right is: " + facts.allowed + "; for example: " + std::string(facts.key) + " = " +
           toml_literal(facts.shown());
}

/// The section that a key of this name belongs to, where there is one.
const Facts* find_elsewhere(std::string_view key) {
    const auto& all = all_facts();
    const auto it = std::find_if(all.begin(), all.end(), [&](const Facts& f) { return f.key == key; });
    return it == all.end() ? nullptr : &*it;
}

std::string right_for_unknown(std::string_view key, std::string_view section) {
    std::vector<std::string_view> here;
    for (const Facts& facts : all_facts()) {
        if (facts.section == section) here.push_back(facts.key);
    }
    if (const auto near = nearest(key, here)) return "did you mean " + std::string(*near) + "?";
    if (const Facts* there = find_elsewhere(key)) {
        return std::string(key) + " belongs in " + heading(*find_section(there->section));
    }
    std::string out = "the settings here are:";
    for (const std::string_view name : here) out += (name == here.front() ? " " : ", ") + std::string(name);
    return out;
}

/// A name from the file, as it may stand in a problem's key.
std::string printable(std::string_view name) {
    const bool plain = !name.empty() && name.size() <= 80 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    return plain ? std::string(name) : in_quotes(name);
}

}  // namespace

void Reader::add(Position at, std::string key, std::string what, std::string right) {
    problems_.push_back({file_, at, std::move(key), std::move(what), std::move(right)});
}

void Reader::add_at(const std::string& key, std::string what, std::string right) {
    const auto it = places_.find(key);
    add(it == places_.end() ? Position{} : it->second, key, std::move(what), std::move(right));
}

Problems Reader::problems() && {
    std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
    });
    return std::move(problems_);
}

Config Reader::read(const Node& root) {
    Config config;
    set_defaults(config);
    read_sections(root, config);
    if (problems_.empty()) check_together(config, *this);
    return config;
}

void Reader::read_sections(const Node& root, Config& config) {
    for (const Node::Member& member : root.members) {
        if (find_section(member.name) == nullptr) unknown_section(member);
    }
    for (const Section& section : sections()) {
        const Node* node = root.find(section.name);
        const std::string name(section.name);
        if (node != nullptr && node->type != Node::Type::section) {
            add(node->at, name, "must be a section, but is " + std::string(node->type_name()),
                "write " + heading(section));
        } else if (section.name == "source") {
            read_sources(node, config);
        } else if (section.name == "register") {
            read_registers(node, config);
        } else {
            read_settings(node, section.name, name, config);
        }
    }
}

void Reader::unknown_section(const Node::Member& member) {
    if (member.value.type != Node::Type::section) {
        const Facts* there = find_elsewhere(member.name);
        add(member.at, printable(member.name), "stands outside of any section",
            there != nullptr ? "it belongs in " + heading(*find_section(there->section))
                             : "there is no setting of this name");
        return;
    }
    std::vector<std::string_view> names;
    for (const Section& section : sections()) names.push_back(section.name);
    const auto near = nearest(member.name, names);
    add(member.at, printable(member.name), "there is no such section",
        near ? "did you mean " + heading(*find_section(*near)) + "?"
             : "the sections are: " + alternatives(names, "and"));
}

void Reader::unknown_key(const Node::Member& member, const std::string& prefix, std::string_view section) {
    add(member.at, prefix + "." + printable(member.name), "there is no such setting",
        right_for_unknown(member.name, section));
}

template <class Target>
void Reader::read_setting(const Setting<Target>& setting, const Node* section, const std::string& prefix,
                          Target& target) {
    const Facts& facts = setting.facts;
    const std::string key = prefix + "." + std::string(facts.key);
    const Node* node = section == nullptr ? nullptr : section->find(facts.key);
    if (node == nullptr) {
        if (facts.required) add_at(prefix, std::string(facts.key) + " is missing", right_for(facts));
        return;
    }
    places_[key] = node->at;
    Complaints complaints;
    setting.read(*node, target, complaints);
    for (Complaint& complaint : complaints) add(complaint.at, key, std::move(complaint.what), right_for(facts));
}

template <class Target>
void Reader::read_settings(const Node* section, std::string_view name, const std::string& prefix, Target& target) {
    std::vector<std::string_view> known;
    if (section != nullptr) places_[prefix] = section->at;
    for (const auto& setting : settings_of<Target>()) {
        if (setting.facts.section != name) continue;
        known.push_back(setting.facts.key);
        read_setting(setting, section, prefix, target);
    }
    if (section == nullptr) return;
    for (const Node::Member& member : section->members) {
        if (std::find(known.begin(), known.end(), member.name) == known.end()) unknown_key(member, prefix, name);
    }
}

template <class Add>
void Reader::read_named(const Node* section, std::string_view name, Add add_one) {
    if (section == nullptr) return;
    for (const Node::Member& member : section->members) {
        if (member.value.type == Node::Type::section) {
            add_one(member);
        } else {
            const std::string wanted = "[" + std::string(name) + ".NAME]";
            add(member.at, std::string(name) + "." + printable(member.name), "stands outside of any " + wanted,
                "give each " + std::string(name) + " a section of its own, " + wanted);
        }
    }
}

void Reader::read_sources(const Node* section, Config& config) {
    read_named(section, "source", [&](const Node::Member& member) {
        const std::string prefix = "source." + printable(member.name);
        if (!is_source_name(member.name)) {
            add(member.at, prefix,
                member.name == "operator" ? "this name is taken" : "the name is not of the right form",
                "a source's name is 1 to 32 of a-z, 0-9 and -, and not operator, which is `tpfctl submit`");
        }
        Source source;
        set_defaults(source);
        read_settings(&member.value, "source", prefix, source);
        config.fixed.sources.emplace(member.name, std::move(source));
    });
}

void Reader::read_registers(const Node* section, Config& config) {
    read_named(section, "register", [&](const Node::Member& member) {
        const std::string prefix = "register." + printable(member.name);
        Register reg;
        set_defaults(reg);
        read_settings(&member.value, "register", prefix, reg);
        auto name = RegisterName::parse(member.name);
        if (name) {
            config.reloadable.registers.emplace(std::move(name).value(), std::move(reg));
        } else {
            add(member.at, prefix, "the name is not of the right form", name.error().detail());
        }
    });
}

}  // namespace tpf::conf
