#pragma once
// Look-ups in the pseudonym log: what is asked for, and what was before. Who asked and who approved is in
// daemon/proposals.h; the pseudonyms that a request is about wait in memory only (a restart forgets them, and the
// request). What was answered stays: a record per answered look-up, with its pseudonyms, beside the pseudonym log
// (docs/audit-log.md, "Look-ups"), and its digest in the audit log.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/occurrence_index.h"
#include "daemon/core.h"

namespace tpf::daemon {

inline constexpr std::string_view kPseudonymLookup = "audit pseudonym";
inline constexpr std::string_view kPersonLookup = "audit person";

struct Lookup {
    Proposal request;  ///< what: the command; subject: a UUID, which names the request in the audit log
    std::vector<audit::Pseudonym> pseudonyms{};
};

/// An earlier answer about one of the same pseudonyms.
struct EarlierLookup {
    UtcTime at;
    std::string by;
    std::string approved_by;
    std::string command;
    std::string reason;
    bool uncertain = false;  ///< its record is missing or damaged: it may have been about somebody else
};

/// Thread-safe.
class Lookups {
  public:
    explicit Lookups(Core& core) : core_(core) {}
    ~Lookups();
    Lookups(const Lookups&) = delete;
    Lookups& operator=(const Lookups&) = delete;

    /// As Proposals::propose().
    [[nodiscard]] Status ask(const Lookup& lookup);
    /// By its id or the first 4 and more characters of it. Code::not_found: none, or several.
    [[nodiscard]] Result<Lookup> find(const std::string& id) const;
    [[nodiscard]] std::vector<Proposal> waiting() const;
    /// As Proposals::approve().
    [[nodiscard]] Status approve(const Lookup& lookup, const Actor& second);
    /// Before it is answered: as Proposals::take().
    [[nodiscard]] Status take(const Lookup& lookup);

    /// How many were answered on this day (UTC), by the audit log.
    [[nodiscard]] Result<std::uint64_t> answered_today() const;
    /// Writes the record of a look-up, durable, before its entry; the SHA-256 of the file, lower-case hex.
    [[nodiscard]] Result<std::string> record(const Lookup& lookup) const;
    /// Look-ups that were answered before about one of these pseudonyms, oldest first.
    [[nodiscard]] Result<std::vector<EarlierLookup>> earlier(const Lookup& lookup) const;
    /// Where they occurred, with an index that is brought up to date first.
    [[nodiscard]] Result<audit::Occurrences> occurrences(const Lookup& lookup,
                                                         const audit::OccurrenceIndex::Progress& progress);
    /// Nothing of the message is in the index when it returns. Code::unavailable: it was told to stop, and the next
    /// start does it.
    [[nodiscard]] Status forget_message(const SpoolId& message);
    /// From now on a thread keeps the index up to date, so that a look-up seldom waits for it.
    void keep_index();

  private:
    [[nodiscard]] Result<audit::OccurrenceIndex*> index();
    [[nodiscard]] Path folder() const { return core_.spool.folders().root / "lookups"; }
    void bring_up_to_date(const std::function<bool()>& go_on);

    Core& core_;
    mutable std::mutex mutex_;
    std::map<std::string, std::vector<audit::Pseudonym>> asked_;  // by the request's id
    std::mutex index_mutex_;
    std::unique_ptr<audit::ListedLog> log_;
    std::unique_ptr<audit::OccurrenceIndex> index_;
    std::jthread keeper_;  // last: it uses all of the above
};

/// At a start: nobody knows any more what the requests that still wait were about.
[[nodiscard]] Status forget_lookups(Proposals& proposals, UtcTime now);
/// The audit log's entries and the spool's lists, as the index reads them.
[[nodiscard]] std::unique_ptr<audit::ListedLog> listed_log(queue::Journal& journal, const queue::Spool& spool);

}  // namespace tpf::daemon
