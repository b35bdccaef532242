#include "queue/recovery.h"

#include <set>

#include "base/log.h"

namespace tpf::queue {
namespace {

using Ids = std::set<SpoolId>;

Ids ids_of(const Listing& listing) {
    return Ids(listing.ids.begin(), listing.ids.end());
}

/// Where the entries were found; each step looks its id up here before it touches the disk.
struct Places {
    explicit Places(const Spool::Survey& survey)
        : inbox(ids_of(survey.inbox_new)),
          work(ids_of(survey.work)),
          outputs(ids_of(survey.outputs)),
          outbox(ids_of(survey.outbox)),
          quarantine(ids_of(survey.quarantine)) {}
    Ids inbox, work, outputs, outbox, quarantine;

    [[nodiscard]] Ids all() const {
        Ids ids = inbox;
        for (const Ids* more : {&work, &outputs, &outbox, &quarantine}) ids.insert(more->begin(), more->end());
        return ids;
    }
};

class Recovery {
  public:
    Recovery(Spool& spool, Journal& journal, const Spool::Survey& survey)
        : spool_(spool), journal_(journal), at_(survey) {
        for (const Listing* listing : {&survey.inbox_tmp, &survey.inbox_new, &survey.work, &survey.outputs,
                                       &survey.outbox, &survey.quarantine, &survey.receipts}) {
            report.strangers += listing->strangers.size();
        }
    }

    /// Before anything is changed: is this the spool's journal?
    Status check_journal() {
        for (const auto& [ids, folder] : {std::pair(&at_.work, "work"), std::pair(&at_.outbox, "outbox"),
                                          std::pair(&at_.quarantine, "quarantine")}) {
            for (const SpoolId& id : *ids) {
                TPF_TRY(const auto row, journal_.find(id));
                if (!row) {
                    return fail(Code::journal, std::string(folder) + "/" + id.str() +
                                                   " is not in the journal: the journal is not the one of this spool, "
                                                   "or was lost");
                }
            }
        }
        return ok();
    }

    Status messages() {
        Ids ids = at_.all();
        for (const State state : {State::claimed, State::committed}) {
            TPF_TRY(const auto waiting, journal_.ids_in(state));
            ids.insert(waiting.begin(), waiting.end());
        }
        for (const SpoolId& id : ids) {
            TPF_TRY(const auto row, journal_.find(id));
            if (row) {
                TPF_TRY(settle(*row));
            } else if (at_.outputs.contains(id)) {
                TPF_TRY(spool_.drop_output(id));
                ++report.outputs_dropped;
            }
        }
        return ok();
    }

    Status receipts(const Listing& listing) {
        for (const SpoolId& id : listing.ids) {
            TPF_TRY(const auto row, journal_.find(id));
            if (row && row->state == State::committed) continue;
            TPF_TRY(const bool gone, done(spool_.folders().receipts_new, id, spool_.remove_receipt(id)));
            if (gone) ++report.receipts_removed;
        }
        return ok();
    }

    RecoveryReport report;

  private:
    /// Whether it was carried out. What stands in the way of one entry keeps no other, and no start.
    Result<bool> done(const Path& folder, const SpoolId& id, const Status& outcome) {
        TPF_TRY(spool_.leave_blocked(folder / id.view(), outcome));
        if (!outcome) ++report.left;
        return outcome.has_value();
    }

    Status settle(const MessageRow& row) {
        switch (row.state) {
            case State::claimed:
                return claimed(row.id);
            case State::committed:
                return committed(row.id);
            case State::quarantined:
            case State::held:
                return kept(row.id);
            case State::delivered:
                return row.removed ? removed(row) : delivered(row.id);
            case State::discarded:
            case State::duplicate:
                return removed(row);
        }
        return ok();
    }

    /// The input belongs in work/. False: it is nowhere.
    Result<bool> input_to_work(const SpoolId& id) {
        if (at_.work.contains(id)) return true;
        if (!at_.quarantine.contains(id) && !at_.inbox.contains(id)) return false;
        const bool kept = at_.quarantine.contains(id);
        const Path& from = kept ? spool_.folders().quarantine : spool_.folders().inbox_new;
        TPF_TRY(const bool moved, done(from, id, kept ? spool_.retry(id) : spool_.claim(id)));
        if (moved) ++report.claimed_moves;
        return true;
    }

    Status drop_output(const SpoolId& id) {
        if (!at_.outputs.contains(id) && !at_.outbox.contains(id)) return ok();
        if (at_.outbox.contains(id) && at_.outputs.contains(id)) {
            TPF_TRY(spool_.drop_output(id));
        }
        TPF_TRY(spool_.withdraw(id));
        TPF_TRY(spool_.drop_output(id));
        ++report.outputs_dropped;
        return ok();
    }

    Status damaged(const SpoolId& id, const char* what) {
        ++report.damaged;
        const std::string_view code = info(Code::record_damaged).name;
        log::error("a message lacks its files", {{"message", id}, {"code", code}, {"error", what}});
        AuditEntry entry(AuditKind::quarantined, "tpfd");
        entry.with("code", code);
        TPF_TRY(journal_.quarantine(id, {.code = Code::record_damaged, .reason = what}, entry));
        return kept(id);
    }

    Status claimed(const SpoolId& id) {
        TPF_TRY(drop_output(id));
        TPF_TRY(const bool there, input_to_work(id));
        return there ? ok() : damaged(id, "its submission is not in the spool");
    }

    Status committed(const SpoolId& id) {
        if (!at_.outbox.contains(id) && !at_.outputs.contains(id)) {
            return damaged(id, "its output is not in the spool; a retry makes it anew");
        }
        TPF_TRY(const bool there, input_to_work(id));
        static_cast<void>(there);  // the output is what is sent
        if (at_.outbox.contains(id)) return spool_.keep_list(id);
        TPF_TRY(spool_.publish(id));
        ++report.published;
        return ok();
    }

    Status kept(const SpoolId& id) {
        TPF_TRY(drop_output(id));
        if (!at_.work.contains(id) && (!at_.inbox.contains(id) || at_.quarantine.contains(id))) return ok();
        const Path& from = at_.work.contains(id) ? spool_.folders().work : spool_.folders().inbox_new;
        TPF_TRY(const bool moved, done(from, id, spool_.quarantine(id)));
        if (moved) ++report.quarantine_moves;
        return ok();
    }

    Status delivered(const SpoolId& id) { return at_.outbox.contains(id) ? spool_.withdraw(id) : ok(); }

    Status removed(const MessageRow& row) {
        if (at_.work.contains(row.id) || at_.outputs.contains(row.id) || at_.outbox.contains(row.id) ||
            at_.quarantine.contains(row.id)) {
            TPF_TRY(spool_.remove_payloads(row.id));
            ++report.payloads_removed;
        }
        return at_.inbox.contains(row.id) ? removed_from_inbox(row) : ok();
    }

    /// A move out of the inbox that a crash undid; unless a source used an id again, whose message is then left alone.
    Status removed_from_inbox(const MessageRow& row) {
        const auto entry = spool_.read_inbox(row.id);
        const std::string known = row.kilde_sha256.empty() ? row.input_sha256.value_or("") : row.kilde_sha256;
        if (entry && !known.empty() && entry.value().kilde.sha256 != known) {
            log::warning("a source used a spool id again", {{"message", row.id}, {"source", row.source}});
            ++report.strangers;
            return ok();
        }
        if (!entry && entry.error().disposition() != Disposition::quarantine) {
            TPF_TRY(const bool readable, done(spool_.folders().inbox_new, row.id, fail(entry.error())));
            static_cast<void>(readable);
            return ok();
        }
        TPF_TRY(const bool gone, done(spool_.folders().inbox_new, row.id,
                                      spool_.fs().remove_tree(spool_.folders().inbox_new / row.id.view())));
        if (gone) ++report.payloads_removed;
        return ok();
    }

    Spool& spool_;
    Journal& journal_;
    Places at_;
};

}  // namespace

Result<RecoveryReport> recover(Spool& spool, Journal& journal, const Clock& clock) {
    TPF_TRY(spool.sweep_inbox_tmp(clock.utc()));
    TPF_TRY(const auto survey, spool.survey());
    Recovery recovery(spool, journal, survey);
    TPF_TRY(recovery.check_journal());
    TPF_TRY(recovery.messages());
    TPF_TRY(recovery.receipts(survey.receipts));
    return recovery.report;
}

}  // namespace tpf::queue
