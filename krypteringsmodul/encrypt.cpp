#include "krypteringsmodul/encrypt.h"

#include <functional>
#include <optional>

#include "krypteringsmodul/chunk_reader.h"
#include "krypteringsmodul/export_reader.h"
#include "krypteringsmodul/output_file.h"
#include "krypteringsmodul/recipient_keys.h"
#include "krypteringsmodul/seal_pipeline.h"
#include "krypteringsmodul/sender_error.h"

namespace tpf::krypteringsmodul {
namespace {

// Enough persons that a hand-over between threads costs nothing beside them.
constexpr std::size_t kBatchPersons = 64;
constexpr std::size_t kBatchBytes = 256 * 1024;
constexpr std::size_t kBatchesUnderWay = 4;  // for each worker

/// What one reading of the export found; two readings of the same file find the same.
struct Reading {
    std::optional<ExportHeader> header;
    std::uint64_t persons = 0;
    crypto::Fingerprint fingerprint{};
    FileInfo before;
    FileInfo after;
};

bool same_file(const FileInfo& a, const FileInfo& b) noexcept {
    // A file that was replaced under its name lost a link.
    return a.size == b.size && a.modified == b.modified && a.links == b.links;
}

Error changed_error() {
    return feil(Code::io,
                "IPLOS filen ble endret mens den ble lest. Kjør krypteringen på nytt når filen er ferdig skrevet.");
}

/// Keeps the header.
class HeaderSink final : public PersonSink {
  public:
    explicit HeaderSink(std::function<void(const ExportHeader&)> known) : known_(std::move(known)) {}
    Status header(const ExportHeader& header) override {
        header_ = header;
        known_(header);
        return ok();
    }
    Status person(ExportPerson&) override { return ok(); }
    [[nodiscard]] const std::optional<ExportHeader>& header() const noexcept { return header_; }

  private:
    std::function<void(const ExportHeader&)> known_;
    std::optional<ExportHeader> header_;
};

/// Gathers persons into batches for the pipeline.
class Batcher final : public PersonSink {
  public:
    explicit Batcher(SealPipeline& pipeline) : pipeline_(pipeline) {}
    Status header(const ExportHeader&) override { return ok(); }
    Status person(ExportPerson& person) override {
        batch_.bytes += person.number.size() + person.content.size();
        batch_.persons.push_back(std::move(person));
        if (batch_.persons.size() < kBatchPersons && batch_.bytes < kBatchBytes) return ok();
        return submit();
    }
    Status finish() { return batch_.persons.empty() ? ok() : submit(); }
    /// Whether an error came from the pipeline, and not from the export.
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    Status submit() {
        PersonBatch next;
        next.first = batch_.first + batch_.persons.size();
        auto submitted = pipeline_.submit(std::exchange(batch_, std::move(next)));
        failed_ = !submitted;
        return submitted;
    }

    SealPipeline& pipeline_;
    PersonBatch batch_;
    bool failed_ = false;
};

/// One run, step by step.
class Run {
  public:
    Run(const EncryptJob& job, const crypto::KeyFile& keys, const Surroundings& around)
        : job_(job), keys_(keys), around_(around) {}

    Result<std::uint64_t> all() {
        TPF_TRY(open());
        TPF_TRY(validate());
        TPF_TRY(encrypt());
        return first_.persons;
    }

  private:
    Status open() {
        std::error_code ignored;
        const Path real = std::filesystem::canonical(job_.export_file, ignored);
        auto file = around_.fs.open_read(real.empty() ? job_.export_file : real);
        if (!file) return fail(told(file.error().code(), kExportNotOpened));
        file_ = std::move(file).value();
        if (std::filesystem::equivalent(job_.export_file, job_.output, ignored)) {
            return fail(feil(Code::usage, "Den krypterte filen kan ikke ha samme navn som IPLOS filen."));
        }
        return ok();
    }

    Status validate() {
        HeaderSink sink([this](const ExportHeader& header) { start_stock(header); });
        ReadOptions options;
        options.contents = false;
        options.note = &index_;
        options.max_person_bytes = job_.max_person_bytes;
        TPF_TRY(first_, read("Kontrollerer", sink, options, nullptr));
        if (stock_) stock_->stop();
        first_.header = sink.header();
        if (!same_file(first_.before, first_.after)) return fail(changed_error());
        return ok();
    }

    /// The register is known, its public key too: the cores that the first reading leaves idle can begin.
    void start_stock(const ExportHeader& header) {
        const auto register_key = recipient_key(keys_, header.reg.str(), today_);
        if (!register_key || job_.workers < 2) return;  // a missing key is told of when the export was found good
        stock_.emplace(register_key.value(), job_.transport, job_.workers - 1);
    }

    Status encrypt() {
        const UtcTime now = around_.clock.utc();
        TPF_TRY(const auto tpf_key, recipient_key(keys_, "TPF", today_));
        TPF_TRY(const auto register_key, recipient_key(keys_, first_.header->reg.str(), today_));
        TPF_TRY(auto output, OutputFile::create(around_.fs, job_.output));
        SubmissionWriter writer(output.file(), tpf_key, job_.transport);
        TPF_TRY(writer.begin({job_.meldings_id, *first_.header, job_.contact, now, first_.persons}));
        TPF_TRY(seal_persons(register_key, writer));
        TPF_TRY(writer.finish());
        if (around_.interrupted) return fail(interrupted_error());
        return output.commit();
    }

    Status seal_persons(const RecipientKey& register_key, SubmissionWriter& writer) {
        PipelineOptions pipeline_options;
        pipeline_options.workers = job_.workers;
        pipeline_options.stock = stock_ ? &*stock_ : nullptr;
        pipeline_options.max_bytes = job_.workers * kBatchesUnderWay * kBatchBytes;
        SealPipeline pipeline(register_key, job_.transport, job_.meldings_id, writer, pipeline_options);
        Batcher batcher(pipeline);
        ReadOptions options;
        options.search_numbers = false;  // the same bytes were searched already
        if (index_.usable()) options.follow = &index_;
        options.max_person_bytes = job_.max_person_bytes;
        if (auto again = file_->seek(0); !again) return fail(file_error(again.error(), "IPLOS filen kunne ikke leses"));
        TPF_TRY(const Reading second, read("Krypterer", batcher, options, &batcher));
        TPF_TRY(batcher.finish());
        TPF_TRY(pipeline.finish());
        const bool same = second.fingerprint == first_.fingerprint && second.persons == first_.persons &&
                          same_file(first_.after, second.before) && same_file(second.before, second.after);
        if (!same) return fail(changed_error());
        return ok();
    }

    /// `batcher`: in the second reading. What the first reading took cannot be wrong now unless the file changed.
    Result<Reading> read(std::string_view phase, PersonSink& sink, const ReadOptions& options, const Batcher* batcher) {
        Reading reading;
        TPF_TRY(reading.before, info());
        around_.progress.phase(phase, reading.before.size);
        ExportReader reader(sink, options);
        const auto told_of = [&](const Error& error) {
            return batcher == nullptr || batcher->failed() ? error : changed_error();
        };
        ChunkReader chunks(*file_, fingerprint_key_, around_.interrupted);
        while (true) {
            TPF_TRY(const std::string_view chunk, chunks.next());
            if (chunk.empty()) break;
            if (auto fed = reader.feed(chunk); !fed) return fail(told_of(fed.error()));
            around_.progress.advance(chunk.size());
        }
        if (auto finished = reader.finish(); !finished) return fail(told_of(finished.error()));
        reading.persons = reader.persons();
        reading.fingerprint = chunks.fingerprint();
        TPF_TRY(reading.after, info());
        return reading;
    }

    Result<FileInfo> info() {
        auto info = around_.fs.info(*file_);
        if (!info) return fail(file_error(info.error(), "IPLOS filen kunne ikke leses"));
        return info;
    }

    const EncryptJob& job_;
    const crypto::KeyFile& keys_;
    const Surroundings& around_;
    /// One day for both readings: what is in stock was wrapped for the key that is valid on it.
    const std::chrono::sys_days today_ = norwegian_date(around_.clock.utc());
    const crypto::FingerprintKey fingerprint_key_;
    std::unique_ptr<File> file_;
    Reading first_;
    PersonIndex index_;
    std::optional<KeyStock> stock_;
};

}  // namespace

Result<std::uint64_t> encrypt_export(const EncryptJob& job, const crypto::KeyFile& keys, const Surroundings& around) {
    auto persons = Run(job, keys, around).all();
    around.progress.clear();
    return persons;
}

}  // namespace tpf::krypteringsmodul
