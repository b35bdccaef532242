#include "queue/rebuild_spool.h"

#include <set>

#include "queue/row_store.h"

namespace tpf::queue {
namespace {

class SpoolSearch {
  public:
    SpoolSearch(sqlite::Database& db, const Spool& spool,
                const std::function<Result<std::string>(const InboxEntry&)>& source_of, const std::string& settings,
                UtcTime now)
        : db_(db), spool_(spool), source_of_(source_of), settings_(settings), now_(now) {}

    Result<std::vector<FoundMessage>> run() {
        TPF_TRY(const auto survey, spool_.survey());
        outbox_ = {survey.outbox.ids.begin(), survey.outbox.ids.end()};
        work_ = {survey.work.ids.begin(), survey.work.ids.end()};
        quarantine_ = {survey.quarantine.ids.begin(), survey.quarantine.ids.end()};
        std::set<SpoolId> all = outbox_;
        all.insert(work_.begin(), work_.end());
        all.insert(quarantine_.begin(), quarantine_.end());
        for (const SpoolId& id : all) {
            TPF_TRY(auto row, store::load(db_, id));
            if (row && (row->state != State::claimed || !outbox_.contains(id))) continue;
            TPF_TRY(take(id, std::move(row)));
        }
        return std::move(found_);
    }

  private:
    Status take(const SpoolId& id, std::optional<MessageRow> known) {
        TPF_TRY(MessageRow row, known ? Result<MessageRow>(*known) : from_record(id));
        if (known) ++row.revision;
        if (outbox_.contains(id)) {
            TPF_TRY(const bool committed, commit(row));
            if (committed) {
                found_.push_back({std::move(row), "outbox"});
                return ok();
            }
        }
        if (known) return ok();  // as it was: the start drops the output
        if (work_.contains(id)) {
            found_.push_back({std::move(row), "work"});
            return ok();
        }
        row.state = State::quarantined;
        row.code = outbox_.contains(id) ? Code::record_damaged : Code::rebuilt;
        row.reason = "the journal was rebuilt and does not know this message";
        row.quarantined = now_;
        row.answer_due = true;
        found_.push_back({std::move(row), outbox_.contains(id) ? "outbox" : "quarantine"});
        return ok();
    }

    /// A claimed message, as far as its record tells.
    Result<MessageRow> from_record(const SpoolId& id) {
        MessageRow row(id);
        row.source = "unknown";
        row.received = row.claimed = now_;
        row.settings = settings_;
        if (!work_.contains(id) && !quarantine_.contains(id)) return row;
        const auto entry = spool_.read_work(id);
        if (entry) {
            const KildeRecord& kilde = entry.value().kilde;
            if (const auto source = source_of_(entry.value())) {
                row.source = source.value();
                row.sender = kilde.sender;
            }
            row.received = kilde.received;
            row.size = kilde.size;
            row.kilde_sha256 = kilde.sha256;
        } else if (entry.error().disposition() != Disposition::quarantine) {
            return fail(entry.error());
        }
        return row;
    }

    /// Whether the output in outbox/ID makes it a committed one.
    Result<bool> commit(MessageRow& row) {
        const Path entry = spool_.folders().outbox / row.id.view();
        const auto text = read_small(spool_.fs(), entry / kPost, kMaxRecord);
        if (!text && text.error().code() == Code::io) return fail(text.error());
        const auto body = spool_.fs().info(entry / kMelding);
        const auto post = text ? parse_post(text.value()) : Result<PostRecord>(fail(text.error()));
        if (!post || !body || post.value().id != row.id || body.value().size != post.value().size) return false;
        TPF_TRY(const bool taken, is_of_another(post.value().name, row.id));
        if (taken) return false;
        row.state = State::committed;
        row.name = post.value().name;
        row.to = post.value().to;
        row.output_sha256 = post.value().sha256;
        row.output_size = post.value().size;
        row.signature = post.value().signature;
        row.committed = now_;
        if (!row.input_sha256) row.input_sha256 = row.kilde_sha256.empty() ? kUnknownDigest : row.kilde_sha256;
        return true;
    }

    Result<bool> is_of_another(const MessageName& name, const SpoolId& id) {
        if (!names_.insert(name).second) return true;
        TPF_TRY(auto statement, db_.prepare("SELECT spool_id FROM names WHERE avsender=?1 AND meldings_id=?2"));
        statement.bind(1, name.avsender.str()).bind(2, name.meldings_id.view());
        TPF_TRY(const bool known, statement.step());
        return known && statement.text(0) != id.view();
    }

    sqlite::Database& db_;
    const Spool& spool_;
    const std::function<Result<std::string>(const InboxEntry&)>& source_of_;
    const std::string& settings_;
    UtcTime now_;
    std::set<SpoolId> outbox_, work_, quarantine_;
    std::set<MessageName> names_;
    std::vector<FoundMessage> found_;
};

}  // namespace

Result<std::vector<FoundMessage>> find_in_spool(sqlite::Database& db, const Spool& spool,
                                                const std::function<Result<std::string>(const InboxEntry&)>& source_of,
                                                const std::string& settings, UtcTime now) {
    return SpoolSearch(db, spool, source_of, settings, now).run();
}

}  // namespace tpf::queue
