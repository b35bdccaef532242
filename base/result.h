#pragma once
// Result and Error: how every fallible call of this project answers. Exceptions of libraries end at the wrapper that
// called them; main catches the rest.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <memory>
#include <string>
#include <utility>

#include "base/codes.h"

namespace tpf {

/// An error: a row of the catalogue, and what an operator needs beyond it.
/// `detail` is English, and never holds content of a message (no value, no name, no number from it).
/// `hint` says what would help here; empty: the catalogue's remedy serves.
/// Two words, since every Result has room for one and every call returns a Result.
class Error {
  public:
    /// Outcome asks for it; means Code::internal.
    Error() noexcept = default;
    explicit Error(Code code, std::string detail = {}, std::string hint = {});
    Error(const Error& other);
    Error(Error&&) noexcept = default;
    Error& operator=(const Error& other);
    Error& operator=(Error&&) noexcept = default;
    ~Error() = default;

    [[nodiscard]] Code code() const noexcept { return code_; }
    [[nodiscard]] std::string_view name() const noexcept { return info(code_).name; }
    [[nodiscard]] Disposition disposition() const noexcept { return info(code_).disposition; }
    [[nodiscard]] const std::string& detail() const noexcept;
    [[nodiscard]] std::string_view hint() const noexcept;
    /// "NAME: detail", or "NAME: cause" where no detail was given.
    [[nodiscard]] std::string text() const;

  private:
    struct Texts {
        std::string detail;
        std::string hint;
    };
    Code code_ = Code::internal;
    std::unique_ptr<Texts> texts_;  // absent when both are empty
};

/// A value or an Error. Reading the one that is not there ends the process.
template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;
using Status = Result<void>;

[[nodiscard]] inline Status ok() {
    return boost::outcome_v2::success();
}
/// `return fail(Code::io, "…")` in a function that returns any Result.
using Failure = boost::outcome_v2::failure_type<Error>;
[[nodiscard]] Failure fail(Code code, const char* detail = "");
[[nodiscard]] Failure fail(Code code, std::string detail, std::string hint = {});
[[nodiscard]] inline Failure fail(Error error) {
    return boost::outcome_v2::failure(std::move(error));
}
/// An Error for errno `err`: ENOSPC and EDQUOT are disk_full, all else is io. `what` names call and file.
[[nodiscard]] Error errno_error(int err, std::string what);

}  // namespace tpf

/// Several statements: never the bare body of an if or a loop.
/// TPF_TRY(auto x, call()): x is the value, or the function returns the error. TPF_TRY(call()) for a Status.
#define TPF_TRY(first, ...) TPF_TRY_PICK_(__COUNTER__, first __VA_OPT__(, ) __VA_ARGS__)
#define TPF_TRY_PICK_(counter, first, ...) TPF_TRY_NAMED_(counter, first __VA_OPT__(, ) __VA_ARGS__)
#define TPF_TRY_NAMED_(counter, first, ...)                                                 \
    auto&& tpf_result_##counter = TPF_TRY_EXPRESSION_(first __VA_OPT__(, ) __VA_ARGS__);    \
    if (!tpf_result_##counter) return ::tpf::fail(std::move(tpf_result_##counter).error()); \
    __VA_OPT__(first = std::move(tpf_result_##counter).value())
#define TPF_TRY_EXPRESSION_(first, ...) TPF_TRY_IF_##__VA_OPT__(TWO_)(first __VA_OPT__(, ) __VA_ARGS__)
#define TPF_TRY_IF_(expression) (expression)
#define TPF_TRY_IF_TWO_(declaration, ...) (__VA_ARGS__)
