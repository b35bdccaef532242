#pragma once
// What the register holds, on disk. One folder per message name, which appears by one rename with the message and the
// signed receipt in it: whoever sees the one sees the other, and no name can be decided twice.
//
//   STORE/lock                              held by the one server (flock)
//   STORE/tmp/N/                            a delivery under way; removed at start and when it fails
//   STORE/meldinger/NAME/kvittering.json    the decision: the answer's members, then `personer` and `bytes`
//   STORE/meldinger/NAME/melding.xml        the message; absent when the decision is `avvist`
//
// Files are synced before the rename and the folder after it, and only then is anything answered. A crash leaves either
// nothing of a delivery (but for tmp/) or all of it.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/fs.h"
#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "register/receipt.h"

namespace tpf::reg {

/// A decision as it lies in the store.
struct StoredMessage {
    Receipt receipt;
    std::uint64_t persons = 0;  ///< 0 for a refused message
    std::uint64_t bytes = 0;
};

/// How kvittering.json is written: one line of JSON with a line feed.
[[nodiscard]] std::string to_record(const StoredMessage& message);

class Store;

/// A message being received: a folder in tmp/ with an open file. Gone, folder included, unless it was committed.
/// Must not outlive its Store. Not thread-safe.
class Draft {
  public:
    ~Draft();
    Draft(Draft&&) noexcept;
    Draft& operator=(Draft&&) = delete;
    [[nodiscard]] Status write(std::span<const std::uint8_t> bytes);

  private:
    friend class Store;
    Draft(FileSystem& fs, Path folder, std::unique_ptr<File> file);
    FileSystem* fs_;  // nullptr: nothing to remove
    Path folder_;
    std::unique_ptr<File> file_;
};

/// The right to decide about one name, held by one request at a time. Must not outlive its Store.
class Claim {
  public:
    ~Claim();
    Claim(Claim&&) noexcept;
    Claim& operator=(Claim&&) = delete;

  private:
    friend class Store;
    Claim(Store& store, std::string name);
    Store* store_;
    std::string name_;
};

/// Thread-safe.
class Store {
  public:
    /// Makes the folder when it is missing; clears tmp/. Code::locked: another server has it. `fs` outlives the store.
    [[nodiscard]] static Result<std::unique_ptr<Store>> open(FileSystem& fs, const Path& path);

    /// Nothing while another request holds this name.
    [[nodiscard]] std::optional<Claim> claim(const MessageName& name);
    [[nodiscard]] Result<std::optional<Receipt>> find(const MessageName& name);
    /// Code::disk_full unless `bytes` and a reserve fit.
    [[nodiscard]] Status check_room(std::uint64_t bytes);
    [[nodiscard]] Result<Draft> begin();
    /// The decision is durable when this returns. A refused message's bytes are not kept. The caller holds the claim.
    /// Code::fsync_failed: the process stops.
    [[nodiscard]] Status commit(Draft draft, const StoredMessage& message);

  private:
    friend class Claim;
    Store(FileSystem& fs, Path folder, UniqueFd lock);
    FileSystem& fs_;
    Path folder_;
    UniqueFd lock_;
    std::atomic<std::uint64_t> drafts_{0};
    std::mutex mutex_;
    std::set<std::string, std::less<>> claimed_;
};

/// Calls `each` for all decisions, in the order of their names; a server may be at work on the store meanwhile. Stops
/// at an error. Code::not_found: no store there; Code::record_damaged.
[[nodiscard]] Status for_each_message(FileSystem& fs, const Path& store,
                                      const std::function<Status(const StoredMessage&)>& each);

}  // namespace tpf::reg
