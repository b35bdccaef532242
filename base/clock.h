#pragma once
// Time. Everything that asks what time it is asks a Clock, so that tests can move it.

#include <chrono>
#include <string>

#include "base/result.h"

namespace tpf {

using UtcTime = std::chrono::sys_seconds;

/// Thread-safe. utc() may jump either way (an operator, NTP); steady() never goes back.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual UtcTime utc() const = 0;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
};

/// The system's clock. One for the process, never destroyed.

[[nodiscard]] const Clock& system_clock() noexcept;

/// RFC 3339 in UTC, whole seconds: "2027-01-04T09:30:00Z".
[[nodiscard]] std::string format_utc(UtcTime time);
/// Exactly the form that format_utc writes, with a real date; anything else is Code::field_form.
[[nodiscard]] Result<UtcTime> parse_utc(std::string_view text);
/// "YYYY-MM-DD", a real date; anything else is Code::field_form.
[[nodiscard]] Result<std::chrono::sys_days> parse_date(std::string_view text);
[[nodiscard]] std::string format_date(std::chrono::sys_days day);
/// The date in Norway at `time`: CET/CEST by the EU's rule (last Sundays of March and October, 01:00 UTC).
[[nodiscard]] std::chrono::sys_days norwegian_date(UtcTime time);

}  // namespace tpf
