#pragma once
// The spool's folders under one root, on one file system. The folder that an entry lies in is its state. Modes are for
// a core and a forwarder under users of their own that share the spool's group; the folders carry the set-group bit, so
// that what is made in them belongs to that group.

#include <utility>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "base/types.h"

namespace tpf::queue {

/// Names of the files in an entry.
inline constexpr const char* kInnsending = "innsending.xml";  ///< the encrypted submission
inline constexpr const char* kKilde = "kilde.json";
inline constexpr const char* kMelding = "melding.xml";  ///< the pseudonymised message
inline constexpr const char* kPost = "post.json";
inline constexpr const char* kSvar = "svar.json";
inline constexpr const char* kPseudonyms = "pseudonymer";  ///< beside melding.xml until it is published: its list
inline constexpr const char* kRegistre = "registre.json";  ///< in receipts/: how the registers stand

/// Paths only. A value, thread-safe.
struct Folders {
    explicit Folders(const Path& root_);
    Path root;
    Path inbox_tmp, inbox_new;  ///< 03770: sources write (each its own entries only), the core takes
    Path work;                  ///< 02700: ID/ being worked on (its input), ID.ut/ (its output, not yet published)
    Path outbox;                ///< 02750: ID/, read by the forwarder
    Path receipts, receipts_tmp, receipts_new;  ///< 02770: the forwarder writes, the core takes
    Path quarantine;                            ///< 02700: ID/, the encrypted bytes of what is quarantined or held
    Path checkpoints;                           ///< 02750: REGISTER.json, read by the forwarder
    Path pseudonyms;    ///< 02700: the pseudonym log, AB/ID: each message's list, by its first digits
    Path kvittering;    ///< 02751: SOURCE/ 02750, readable by that source's group
    Path lock;          ///< the core's lock file
    Path forward_lock;  ///< the forwarder's lock file, in receipts/
    [[nodiscard]] Path checkpoint_of(const RegisterName& to) const { return checkpoints / (to.str() + ".json"); }
    [[nodiscard]] Path list_of(const SpoolId& id) const { return pseudonyms / id.view().substr(0, 2) / id.view(); }
    [[nodiscard]] Path output(const SpoolId& id) const { return work / (id.str() + ".ut"); }
};

/// Each with its mode, after the one that it lies in.
[[nodiscard]] std::vector<std::pair<Path, mode_t>> wanted_folders(const Folders& folders);

/// Makes what is missing and syncs it; leaves the modes of what is there alone (a package may have set others).
/// Code::io when a name is taken by something that is not a folder.
[[nodiscard]] Status make_folders(FileSystem& fs, const Folders& folders);

}  // namespace tpf::queue
