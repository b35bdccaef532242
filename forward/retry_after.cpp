#include <algorithm>
#include <array>
#include <charconv>

#include "forward/answer.h"

namespace tpf::forward {
namespace {

constexpr std::chrono::seconds kYear{365 * 24 * 3600};

/// Takes texts off the front of a date, piece by piece. After a piece that is not there everything fails.
class DateReader {
  public:
    explicit DateReader(std::string_view text) : rest_(text) {}

    void literal(std::string_view text) {
        if (rest_.starts_with(text)) return rest_.remove_prefix(text.size());
        good_ = false;
    }
    /// The index of the name found, from `names`.
    template <std::size_t N>
    int one_of(const std::array<std::string_view, N>& names) {
        for (std::size_t i = 0; i < N; ++i) {
            if (!rest_.starts_with(names[i])) continue;
            rest_.remove_prefix(names[i].size());
            return static_cast<int>(i);
        }
        good_ = false;
        return 0;
    }
    int digits(std::size_t count) {
        int value = 0;
        const char* end = rest_.data() + std::min(count, rest_.size());
        const auto [at, error] = std::from_chars(rest_.data(), end, value);
        if (rest_.size() < count || error != std::errc() || at != end || rest_.front() == '-') {
            good_ = false;
            return 0;
        }
        rest_.remove_prefix(count);
        return value;
    }
    /// asctime pads the day with a space.
    int padded_day() {
        if (!rest_.starts_with(' ')) return digits(2);
        rest_.remove_prefix(1);
        return digits(1);
    }
    [[nodiscard]] bool starts_with(std::string_view text) const { return rest_.starts_with(text); }
    [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool good_ = true;
};

constexpr std::array<std::string_view, 7> kDays = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::array<std::string_view, 7> kLongDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct DateParts {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void read_clock(DateReader& in, DateParts& d) {
    d.hour = in.digits(2);
    in.literal(":");
    d.minute = in.digits(2);
    in.literal(":");
    d.second = in.digits(2);
}

/// "Sun, 06 Nov 1994 08:49:37 GMT"
bool read_imf_fixdate(DateReader in, DateParts& d) {
    in.one_of(kDays);
    in.literal(", ");
    d.day = in.digits(2);
    in.literal(" ");
    d.month = in.one_of(kMonths) + 1;
    in.literal(" ");
    d.year = in.digits(4);
    in.literal(" ");
    read_clock(in, d);
    in.literal(" GMT");
    return in.whole();
}

/// "Sunday, 06-Nov-94 08:49:37 GMT"; the century is the one that puts it less than 50 years ahead (RFC 9110 § 5.6.7).
bool read_rfc850(DateReader in, DateParts& d, UtcTime now) {
    in.one_of(kLongDays);
    in.literal(", ");
    d.day = in.digits(2);
    in.literal("-");
    d.month = in.one_of(kMonths) + 1;
    in.literal("-");
    d.year = in.digits(2);
    in.literal(" ");
    read_clock(in, d);
    in.literal(" GMT");
    const int this_year =
        static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year());
    d.year += this_year - this_year % 100;
    if (d.year > this_year + 50) d.year -= 100;
    return in.whole();
}

/// "Sun Nov  6 08:49:37 1994"
bool read_asctime(DateReader in, DateParts& d) {
    in.one_of(kDays);
    in.literal(" ");
    d.month = in.one_of(kMonths) + 1;
    in.literal(" ");
    d.day = in.padded_day();
    in.literal(" ");
    read_clock(in, d);
    in.literal(" ");
    d.year = in.digits(4);
    return in.whole();
}

std::optional<UtcTime> parse_http_date(std::string_view text, UtcTime now) {
    DateParts d;
    const DateReader in(text);
    if (!read_imf_fixdate(in, d) && !read_rfc850(in, d, now) && !read_asctime(in, d)) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(d.year),
                                           std::chrono::month(static_cast<unsigned>(d.month)),
                                           std::chrono::day(static_cast<unsigned>(d.day)));
    // 60: a leap second.
    if (!date.ok() || d.hour > 23 || d.minute > 59 || d.second > 60) return std::nullopt;
    return UtcTime(std::chrono::sys_days(date)) + std::chrono::hours(d.hour) + std::chrono::minutes(d.minute) +
           std::chrono::seconds(d.second);
}

}  // namespace

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, UtcTime now) {
    if (!value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos) {
        std::uint64_t seconds = 0;
        const auto [at, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (error != std::errc() || seconds > static_cast<std::uint64_t>(kYear.count())) return kYear;
        return std::chrono::seconds(seconds);
    }
    const auto date = parse_http_date(value, now);
    if (!date) return std::nullopt;
    return std::clamp<std::chrono::seconds>(*date - now, std::chrono::seconds(0), kYear);
}

}  // namespace tpf::forward
