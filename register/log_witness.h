#pragma once
// The register as a witness of the TPF's audit log (docs/register.md, "The audit log's checkpoints"): of each log it
// cosigns only what follows from what it cosigned before, so that nobody can show it one log and an auditor another.
//
//   STORE/sjekkpunkt/LOG/siste.note   the newest checkpoint, signed by the log and cosigned here: ready for an auditor
//   STORE/sjekkpunkt/LOG/kjent.txt    "SIZE ROOT" (base64), one a line: that one and some before it
//
// LOG: the first 32 hex digits of SHA-256(origin). Each file is replaced atomically, kjent.txt first; after a crash
// either the old checkpoint counts or the new one, and nothing was answered that is not there.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "audit/witness.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/types.h"
#include "crypto/signature.h"

namespace tpf::reg {

struct LogWitnessSettings {
    RegisterName reg;                          ///< the name that it cosigns under
    crypto::SigningKey key;                    ///< the receipt key
    std::vector<crypto::VerifyKey> core_keys;  ///< any of them may have signed
    std::vector<std::string> origins;          ///< the logs that are witnessed; empty: the first one that comes
};

/// Thread-safe.
class LogWitness {
  public:
    /// Reads what was cosigned. Code::record_damaged: a checkpoint that is kept there is not one of ours. `fs` and
    /// `clock` outlive it.
    [[nodiscard]] static Result<std::unique_ptr<LogWitness>> open(FileSystem& fs, const Path& store,
                                                                  LogWitnessSettings settings, const Clock& clock);
    struct Verdict {
        std::string kode;  ///< empty: go on; else why the message is refused: docs/register.md has the list
        /// base64 of the newest checkpoint of that log that is cosigned here; of the one that is witnessed when it was
        /// refused without knowing which. Empty: there is none, or more than one.
        std::string note;
    };
    /// Of the header fields, empty where they did not come. What is cosigned is durable when this returns. Errors are
    /// the store's.
    [[nodiscard]] Result<Verdict> judge(std::string_view checkpoint, std::string_view consistency);

  private:
    struct Log {
        audit::WitnessMemory memory;
        std::string note;
    };
    LogWitness(FileSystem& fs, Path folder, LogWitnessSettings settings, const Clock& clock);
    [[nodiscard]] Status load();
    [[nodiscard]] Status load_one(const Path& folder);
    [[nodiscard]] bool takes(const std::string& origin) const;
    /// `origin` empty: it is not known which log it was.
    [[nodiscard]] Verdict refuse(const char* kode, const std::string& origin) const;
    [[nodiscard]] Status cosign(const audit::OpenedNote& opened);
    [[nodiscard]] Result<std::string> cosigned(const std::string& text) const;
    [[nodiscard]] Path folder_of(const std::string& origin) const;

    FileSystem& fs_;
    Path folder_;
    LogWitnessSettings settings_;
    const Clock& clock_;
    std::vector<audit::NoteKey> own_key_;  // one
    std::mutex mutex_;
    std::map<std::string, Log> logs_;  // by origin
};

}  // namespace tpf::reg
