#pragma once
// The keys of a ring as they are in memory, and how they are opened from the folder. Internal to crypto/.

#include <memory>
#include <optional>
#include <vector>

#include "crypto/key_folder.h"
#include "crypto/key_ring.h"

namespace tpf::crypto {

/// One key, ready for use. Which of the members are there follows from the kind; no secret once destroyed.
struct Key {
    KeyFacts facts;
    std::optional<RsaPublicKey> rsa{};
    std::optional<VerifyKey> verify{};
    std::shared_ptr<const RsaPrivateKey> unwrapper{};
    std::optional<SigningKey> signing{};
    std::shared_ptr<const SecretBytes> secret{};

    [[nodiscard]] bool usable() const noexcept {
        return facts.state == KeyState::active || facts.state == KeyState::accepting;
    }
};
using KeyPointer = std::shared_ptr<const Key>;
using Keys = std::vector<KeyPointer>;

/// A key and whether it opened.
struct LoadedKey {
    std::shared_ptr<Key> key;
    Status opened = ok();
};
/// Opens all keys of a record, which takes a scrypt each for private ones, on all cores. In the record's order.
[[nodiscard]] std::vector<LoadedKey> load_keys(KeyFolder& folder, const RingRecord& record);
/// The same, all or none: the first fault in the ring's order.
[[nodiscard]] Result<Keys> load_all_keys(KeyFolder& folder, const RingRecord& record);

/// The public half, checked against the key's facts; nothing to do for a pseudonym key.
[[nodiscard]] Status load_public(Key& key);
/// Opens a message or signing key, and checks that it is the one that its facts name; in clear with an empty
/// passphrase.
[[nodiscard]] Status take_private(Key& key, std::string_view pem, const SecretBytes& passphrase);
/// A pseudonym key; checked likewise.
[[nodiscard]] Status take_secret(Key& key, SecretBytes secret);
/// Long enough for its profile, and not so long that it would stop the service; Code::usage.
[[nodiscard]] Status check_rsa(std::size_t bits, const KeyPolicy& policy);

}  // namespace tpf::crypto
