#pragma once
// What one operator proposed and another one has to approve (base/second_operator.h), in a small file that a restart
// does not lose. A proposal is for one thing: `what` (the command, "queue discard") and `subject` (which one, its
// whole id). Neither, nor a reason, may ever hold anything that could be tested against an identity number or a
// pseudonym.
//
//   propose() by the first  →  approve() by the second  →  take() by whoever carries it out, just before
//
// The one who takes it may be the second (a discard: approved and done by one command), or the first again (who was
// given leave to do it once): the caller looks at asked.by and approved->by. The audit log is the caller's: an entry
// before each of the three, and one for each refusal.
//
// Errors besides those named: those of base/fs.h, and then nothing changed. A file that is damaged holds no proposals:
// they are made again.

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/second_operator.h"

namespace tpf::daemon {

/// Beside the journal.
inline constexpr const char* kProposalsFile = "proposals.json";

struct Proposal {
    std::string what;
    std::string subject;
    OperatorRequest asked;
    std::optional<OperatorRequest> approved{};  ///< by whom, when and why
};

/// Thread-safe. Proposals that have run out are not there.
class Proposals {
  public:
    /// `file`: in a folder of the core's own, which exists when the first proposal is made. `fs` outlives it.
    Proposals(FileSystem& fs, Path file);
    /// Takes the place of an earlier one for the same thing. Code::usage: kMost others wait.
    [[nodiscard]] Status propose(std::string_view what, std::string_view subject, const Actor& first, UtcTime now);
    /// Good for kApproveWithin from the proposal on. Code::usage: nobody proposed it; and as check_second().
    [[nodiscard]] Result<Proposal> approve(std::string_view what, std::string_view subject, const Actor& second,
                                           UtcTime now);
    /// An approved one, which is used up by this: gone from the disk when it returns. Code::denied: not approved.
    /// Code::usage: nobody proposed it.
    [[nodiscard]] Result<Proposal> take(std::string_view what, std::string_view subject, UtcTime now);
    /// Its subject has changed: whoever still wants it proposes it anew. None: success.
    [[nodiscard]] Status drop(std::string_view what, std::string_view subject);
    [[nodiscard]] std::optional<Proposal> find(std::string_view what, std::string_view subject, UtcTime now) const;
    /// Oldest first.
    [[nodiscard]] std::vector<Proposal> list(UtcTime now) const;
    static constexpr std::size_t kMost = 1000;

  private:
    [[nodiscard]] Status become(std::vector<Proposal> next);

    FileSystem& fs_;
    const Path file_;
    mutable std::mutex mutex_;
    std::vector<Proposal> all_;
};

}  // namespace tpf::daemon
