#pragma once
// From a tree of values to a Config, by the settings table; and what must hold between settings.

#include <map>
#include <string>
#include <string_view>

#include "conf/config.h"
#include "conf/settings.h"

namespace tpf::conf {

/// Reads one tree. Gathers all problems; used once, by one thread.
class Reader {
  public:
    explicit Reader(std::string_view file) : file_(file) {}
    /// `root`: the file. Where problems() is empty afterwards, the Config is whole.
    [[nodiscard]] Config read(const Node& root);
    /// Ordered by position.
    [[nodiscard]] Problems problems() &&;

  private:
    friend void check_together(const Config& config, Reader& reader);
    void add(Position at, std::string key, std::string what, std::string right);
    /// A problem with the setting of that full name, at its place in the file.
    void add_at(const std::string& key, std::string what, std::string right);
    void read_sections(const Node& root, Config& config);
    void unknown_section(const Node::Member& member);
    void unknown_key(const Node::Member& member, const std::string& prefix, std::string_view section);
    /// `section` may be null: not in the file.
    template <class Target>
    void read_settings(const Node* section, std::string_view name, const std::string& prefix, Target& target);
    template <class Target>
    void read_setting(const Setting<Target>& setting, const Node* section, const std::string& prefix, Target& target);
    template <class Add>
    void read_named(const Node* section, std::string_view name, Add add);
    void read_sources(const Node* section, Config& config);
    void read_registers(const Node* section, Config& config);

    std::string file_;
    Problems problems_;
    std::map<std::string, Position> places_;  // of settings and sections in the file, by full name
};

/// What must hold between settings that are each acceptable.
void check_together(const Config& config, Reader& reader);

/// Sets every setting that has a default.
template <class Target>
void set_defaults(Target& target) {
    for (const auto& setting : settings_of<Target>()) {
        Complaints complaints;
        if (setting.facts.by_default) setting.read(from_json(*setting.facts.by_default), target, complaints);
    }
}

}  // namespace tpf::conf
