#include "base/clock.h"

#include <cstdio>

namespace tpf {
namespace {

using std::chrono::day;
using std::chrono::hours;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

class SystemClock final : public Clock {
  public:
    UtcTime utc() const override { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }
    std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

/// `count` digits at `at`, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

}  // namespace

const Clock& system_clock() noexcept {
    static const SystemClock clock;
    return clock;
}

std::string format_date(sys_days date) {
    const year_month_day d(date);
    char out[32];
    std::snprintf(out, sizeof out, "%04d-%02u-%02u", static_cast<int>(d.year()), static_cast<unsigned>(d.month()),
                  static_cast<unsigned>(d.day()));
    return out;
}

std::string format_utc(UtcTime time) {
    const auto date = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::hh_mm_ss clock(time - date);
    char out[32];
    std::snprintf(out, sizeof out, "T%02d:%02d:%02dZ", static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    return format_date(date) + out;
}

Result<sys_days> parse_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return fail(Code::field_form, "not a date YYYY-MM-DD");
    const int y = digits(text, 0, 4);
    const int m = digits(text, 5, 2);
    const int d = digits(text, 8, 2);
    if (y < 0 || m < 0 || d < 0) return fail(Code::field_form, "not a date YYYY-MM-DD");
    const year_month_day date(year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d)));
    if (!date.ok()) return fail(Code::field_form, "no such day");
    return sys_days(date);
}

Result<UtcTime> parse_utc(std::string_view text) {
    if (text.size() != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z') {
        return fail(Code::field_form, "not a time YYYY-MM-DDThh:mm:ssZ");
    }
    TPF_TRY(const sys_days date, parse_date(text.substr(0, 10)));
    const int h = digits(text, 11, 2);
    const int m = digits(text, 14, 2);
    const int s = digits(text, 17, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59) return fail(Code::field_form, "no such time of day");
    return UtcTime(date) + hours(h) + std::chrono::minutes(m) + std::chrono::seconds(s);
}

sys_days norwegian_date(UtcTime time) {
    const year y = year_month_day(std::chrono::floor<std::chrono::days>(time)).year();
    const auto change = [&](month m) {
        return UtcTime(sys_days(y / m / std::chrono::Sunday[std::chrono::last])) + hours(1);
    };
    const bool summer = time >= change(std::chrono::March) && time < change(std::chrono::October);
    return std::chrono::floor<std::chrono::days>(time + hours(summer ? 2 : 1));
}

}  // namespace tpf
