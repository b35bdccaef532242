#pragma once
// Faults on purpose, for tests and demonstrations of what a sender must survive. A real register has none of this.

#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tpf::reg {

enum class Fault {
    none,
    slow,             ///< reads the body in small pieces with pauses, and pauses before the answer
    cut,              ///< closes the connection in the middle of the body
    lost,             ///< takes the message, then closes the connection without an answer
    hang,             ///< takes the message, then never answers
    status_500,       ///< answers 500 without looking at the message
    status_503,       ///< answers 503 with Retry-After: 1
    status_429,       ///< answers 429 with Retry-After: 1
    wrong_digest,     ///< takes the message; the receipt names another digest, under a good signature
    wrong_signature,  ///< takes the message; the receipt's signature is wrong
};

/// Which request gets which fault. A request is counted once its head was accepted (so that a probe or a repeat by
/// another client's mistake does not use one up). Thread-safe.
class FaultPlan {
  public:
    /// `spec`: KIND (every request), KIND:N (the first N that no earlier rule took) or KIND:P% (a share of the
    /// requests); KIND as --fault names it: slow, cut, lost, hang, 500, 503, 429, wrong-digest, wrong-signature.
    /// Code::usage.
    [[nodiscard]] Status add(std::string_view spec);
    /// Where the shares' draws begin: the same seed, the same draws.
    void seed(std::uint64_t seed) { random_.seed(seed); }
    [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
    /// For the next request.
    [[nodiscard]] Fault next();

  private:
    struct Rule {
        Fault fault = Fault::none;
        std::optional<std::uint64_t> left;  // of the first N
        std::optional<unsigned> per_cent;
    };
    std::mutex mutex_;
    std::vector<Rule> rules_;
    std::mt19937_64 random_;
};

[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

}  // namespace tpf::reg
