#include "audit/svg_plot.h"

#include <algorithm>

namespace tpf::audit {
namespace {

constexpr unsigned kWidth = 760;
constexpr unsigned kLeft = 70;  // room for the numbers of the axis
constexpr unsigned kPlotHeight = 160;
constexpr unsigned kTop = 12;
constexpr unsigned kBelow = 26;  // room for labels
constexpr unsigned kLabelWidth = 78;
constexpr unsigned kRow = 22;  // one lying bar
constexpr unsigned kBarLeft = 220;
constexpr unsigned kBarWidth = 430;
constexpr unsigned kSparkWidth = 120;
constexpr unsigned kSparkHeight = 18;

std::string number(double value) {
    std::string text = std::to_string(static_cast<std::int64_t>(value * 10));
    if (text.size() == 1) text.insert(0, "0");
    text.insert(text.size() - 1, ".");
    return text;
}

/// The least of 1, 2, 5, 10, 20 … that is not below `most`: the axis ends there.
std::uint64_t axis_end(std::uint64_t most) {
    for (std::uint64_t power = 1;; power *= 10) {
        for (const std::uint64_t step : {1U, 2U, 5U}) {
            if (step * power >= most) return step * power;
        }
        if (power > UINT64_MAX / 100) return most;
    }
}

std::uint64_t most_of(std::span<const PlotValue> values) {
    std::uint64_t most = 0;
    for (const PlotValue& one : values) most = std::max(most, one.value);
    return most;
}

std::string begin(const PlotText& text, unsigned height) {
    return "<svg role=\"img\" aria-labelledby=\"" + text.id + "T " + text.id + "D\" viewBox=\"0 0 " +
           std::to_string(kWidth) + " " + std::to_string(height) + "\">\n<title id=\"" + text.id + "T\">" +
           escaped(text.title) + "</title>\n<desc id=\"" + text.id + "D\">" + escaped(text.description) + "</desc>\n";
}

std::string rectangle(double x, double y, double width, double height) {
    return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
           number(height) + "\"/>";
}

std::string words(double x, double y, const char* anchor, const std::string& what) {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(what) +
           "</text>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string grouped(std::uint64_t value) {
    std::string text = std::to_string(value);
    for (std::size_t at = text.size(); at > 3;) {
        at -= 3;
        text.insert(at, "\u00a0");
    }
    return text;
}

std::string columns(const PlotText& text, std::span<const PlotValue> values) {
    const std::uint64_t end = axis_end(std::max<std::uint64_t>(1, most_of(values)));
    const double step = (kWidth - kLeft) / static_cast<double>(std::max<std::size_t>(1, values.size()));
    std::string svg = begin(text, kTop + kPlotHeight + kBelow);
    for (const unsigned part : {0U, 1U, 2U}) {
        const double y = kTop + kPlotHeight * (2 - part) / 2.0;
        svg += "<line x1=\"" + std::to_string(kLeft) + "\" x2=\"" + std::to_string(kWidth) + "\" y1=\"" + number(y) +
               "\" y2=\"" + number(y) + "\"/>";
        if (end * part % 2 == 0) svg += words(kLeft - 6, y + 4, "end", grouped(end * part / 2));
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i].value == 0) continue;
        // What happened is seen, however little it is beside the rest.
        const double height =
            std::max(1.0, kPlotHeight * static_cast<double>(values[i].value) / static_cast<double>(end));
        svg += rectangle(kLeft + step * static_cast<double>(i) + step * 0.1, kTop + kPlotHeight - height,
                         std::max(0.5, step * 0.8), height);
    }
    svg += "\n";
    const auto every = static_cast<std::size_t>(kLabelWidth / step) + 1;
    for (std::size_t i = 0; i < values.size(); i += every) {
        if (kLeft + step * static_cast<double>(i) > kWidth - kLabelWidth && i != 0) break;
        svg += words(kLeft + step * static_cast<double>(i), kTop + kPlotHeight + 18, "start", values[i].label);
    }
    return svg + "</svg>\n";
}

std::string bars(const PlotText& text, std::span<const PlotValue> values) {
    const std::uint64_t most = std::max<std::uint64_t>(1, most_of(values));
    std::string svg = begin(text, static_cast<unsigned>(values.size()) * kRow + 4);
    double y = 2;
    for (const PlotValue& one : values) {
        const double width = kBarWidth * static_cast<double>(one.value) / static_cast<double>(most);
        svg += words(kBarLeft - 8, y + 15, "end", one.label);
        if (one.value != 0) svg += rectangle(kBarLeft, y + 2, std::max(1.0, width), kRow - 6);
        svg += words(kBarLeft + width + 6, y + 15, "start", grouped(one.value));
        y += kRow;
    }
    return svg + "</svg>\n";
}

std::string sparkline(std::span<const std::uint64_t> values, std::uint64_t most) {
    std::string path;
    const double step = kSparkWidth / static_cast<double>(std::max<std::size_t>(1, values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] == 0) continue;
        const double height = std::max(
            1.0, kSparkHeight * static_cast<double>(values[i]) / static_cast<double>(std::max<std::uint64_t>(1, most)));
        path += "M" + number(step * static_cast<double>(i)) + " " + number(kSparkHeight - height) + "h" +
                number(std::max(0.7, step * 0.9)) + "v" + number(height) + "h-" + number(std::max(0.7, step * 0.9)) +
                "z";
    }
    return "<svg class=\"spark\" aria-hidden=\"true\" viewBox=\"0 0 " + std::to_string(kSparkWidth) + " " +
           std::to_string(kSparkHeight) + "\"><path d=\"" + path + "\"/></svg>";
}

}  // namespace tpf::audit
