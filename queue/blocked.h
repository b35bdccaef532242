#pragma once
// Entries that the core could neither move nor remove: somebody else's rights or content stand in the way. That is all
// that a source's own folder can do: it is logged once, counted for `status`, left, and everything else goes on.

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/fs.h"

namespace tpf::queue {

/// Thread-safe. Keeps at most kMost paths; counts beyond that are of notes, not of entries.
class Blocked {
  public:
    static constexpr std::size_t kMost = 1000;
    /// False when it is known already.
    bool note(const Path& entry);
    void clear(const Path& entry);
    struct Summary {
        std::uint64_t count = 0;
        std::vector<std::string> some;  ///< as label() has them, sorted
    };
    [[nodiscard]] Summary summary(std::size_t most) const;
    /// "inbox/new/ID". A name that is no spool id is the source's choice and is never repeated: "inbox/tmp/…".
    [[nodiscard]] static std::string label(const Path& entry);

  private:
    mutable std::mutex mutex_;
    std::set<Path> entries_;
    std::uint64_t beyond_ = 0;
};

}  // namespace tpf::queue
