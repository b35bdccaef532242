#pragma once
// Small plots as SVG for one HTML page: no script, nothing from elsewhere, legible in black and white, with title and
// description for who listens to the page. Pure functions.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tpf::audit {

/// Text as it may stand between tags and in quoted attributes.
[[nodiscard]] std::string escaped(std::string_view text);
/// "1 234 567": groups of three, with no-break spaces.
[[nodiscard]] std::string grouped(std::uint64_t value);

struct PlotValue {
    std::string label;
    std::uint64_t value = 0;
};

struct PlotText {
    std::string id;  ///< unique on the page, letters only
    std::string title;
    std::string description;  ///< what it shows, in a sentence
};

/// Upright bars, for what follows in time. Labels are thinned out until they fit.
[[nodiscard]] std::string columns(const PlotText& text, std::span<const PlotValue> values);
/// Lying bars, each with its label and its value; for kinds of things.
[[nodiscard]] std::string bars(const PlotText& text, std::span<const PlotValue> values);
/// A plot without axes for a table's cell, whose numbers stand beside it; `most` is its full height.
[[nodiscard]] std::string sparkline(std::span<const std::uint64_t> values, std::uint64_t most);

}  // namespace tpf::audit
