#include <algorithm>

#include "conf/config.h"
#include "conf/settings.h"

namespace tpf::conf {
namespace {

/// Breaks at spaces, each line at most 100 characters with its "# ".
std::string comment(std::string_view text) {
    constexpr std::size_t kWidth = 98;
    std::string out;
    while (!text.empty()) {
        std::size_t end = text.size();
        if (end > kWidth) end = std::min(text.rfind(' ', kWidth), text.size());
        out.append("# ").append(text.substr(0, end)).append("\n");
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// "whole number, 1 to 3600 seconds; restart"
std::string form_of(const Facts& facts) {
    std::string out = facts.type + ", " + facts.allowed;
    if (!facts.unit.empty() && facts.type != "size") out += " " + std::string(facts.unit);
    return out + (facts.reloadable ? "; reload" : "; restart");
}

/// The sample shows sources as comments: a folder that is not there would keep the service from starting.
std::string sample_setting(const Facts& facts) {
    const bool active = facts.required && facts.section != "source";
    return comment(facts.what) + comment(form_of(facts)) + (active ? "" : "#") + std::string(facts.key) + " = " +
           toml_literal(facts.shown()) + "\n\n";
}

std::string sample_heading(const Section& section) {
    if (section.name == "source") return "#[source.oslo]\n";
    return "[" + std::string(section.name) + (section.named ? ".IPLOS" : "") + "]\n";
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

std::string code(std::string_view text) {
    return "`" + std::string(text) + "`";
}

std::string default_cell(const Facts& facts) {
    if (facts.by_default) return code(toml_literal(*facts.by_default));
    return (facts.required ? "required, e.g. " : "none, e.g. ") + code(toml_literal(facts.example));
}

std::string table_row(const Facts& facts) {
    std::string type = facts.type;
    if (!facts.unit.empty() && facts.unit != facts.type) type += " (" + std::string(facts.unit) + ")";
    std::string what(facts.what);
    if (facts.pinned) what += " Pinned with each message when it is claimed.";
    std::string row = "|";
    for (const std::string& text : {code(facts.key), type, default_cell(facts), facts.allowed,
                                    std::string(facts.reloadable ? "reload" : "restart"), what}) {
        row += " " + cell(text) + " |";
    }
    return row + "\n";
}

constexpr std::string_view kDocumentationHead =
    "# Configuration\n\n"
    "<!-- Written from the settings table (conf/settings.cpp) by `tpfctl config documentation`; a test compares. "
    "-->\n\n"
    "One file in TOML 1.0 for `tpfd`, `tpf-forward` and `tpfctl`; `tpfctl config sample` prints a commented one. "
    "Environment variables are not read.\n\n"
    "- A section or setting that is not named here is an error, never ignored. All errors of a file are reported at "
    "once, each with file, line, column, setting, what is wrong and what would be right; `--check-config` shows them "
    "without starting anything.\n"
    "- Sizes are bytes: a whole number, or a text with a unit, `\"64 MiB\"` (B, KiB, MiB, GiB, TiB). Times are whole "
    "seconds or days, as the name says.\n"
    "- *Change*: \"reload\" settings come into force for the next message (or the next attempt to send one) after a "
    "reload; \"restart\" settings keep their old value until then, and the log says which. A file with an error "
    "changes "
    "nothing.\n"
    "- Settings pinned with a message are those that its output depends on: a later pass over the same message uses "
    "the "
    "same ones, whatever the file says by then.\n";

}  // namespace

std::string sample() {
    std::string out =
        comment("Configuration of the pseudonym manager: one file for tpfd, tpf-forward and tpfctl.") +
        comment(
            "A line that begins with # and a space explains; one that begins with # alone is a setting "
            "at its default, or an example of an optional one. Above each setting stands what it takes, "
            "and whether a changed value needs a restart or only a reload. Try a change with --check-config.") +
        "\n";
    for (const Section& section : sections()) {
        out += comment(section.what) + sample_heading(section) + "\n";
        for (const Facts& facts : all_facts()) {
            if (facts.section != section.name) continue;
            // What only the other kind of source has stands in a sample of that kind.
            if (section.name == "source" && facts.key == "user") out += "#[source.intake]\n#kind = \"folder\"\n\n";
            out += sample_setting(facts);
        }
    }
    out.pop_back();
    return out;
}

std::string documentation_markdown() {
    std::string out(kDocumentationHead);
    for (const Section& section : sections()) {
        out += "\n## [" + std::string(section.name) + (section.named ? ".NAME]" : "]") + "\n\n";
        out += std::string(section.what) + "\n\n";
        out += "| setting | type | default | allowed | change | what it does |\n|---|---|---|---|---|---|\n";
        for (const Facts& facts : all_facts()) {
            if (facts.section == section.name) out += table_row(facts);
        }
    }
    return out;
}

}  // namespace tpf::conf
