#pragma once
// The keys of a ring as they are in memory, and how they are opened from the folder. Internal to crypto/.

#include <memory>
#include <optional>
#include <vector>

#include "crypto/key_folder.h"
#include "crypto/key_ring.h"
#include "crypto/wrapped_secret.h"

namespace tpf::crypto {

/// One key, ready for use. Which of the members are there follows from the kind; no secret once destroyed.
struct Key {
    KeyFacts facts;
    std::optional<RsaPublicKey> rsa{};
    std::optional<VerifyKey> verify{};
    std::shared_ptr<const KeyUnwrapper> unwrapper{};     // message; nullptr: in a token, and there is none
    std::shared_ptr<const RsaPrivateKey> private_key{};  // the same, where it lies in a file
    std::shared_ptr<const WrappedSecret> wrapped{};
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
using TokenPointer = std::shared_ptr<const Pkcs11Token>;
/// Opens all keys of a record, which takes a scrypt each for private ones, on all cores. In the record's order. A key
/// of a token that is away, or that there is not, has Code::no_key.
[[nodiscard]] std::vector<LoadedKey> load_keys(KeyFolder& folder, const RingRecord& record, const TokenPointer& token);
/// The same, all or none: the first fault in the ring's order. A token that is away is none.
[[nodiscard]] Result<Keys> load_all_keys(KeyFolder& folder, const RingRecord& record, const TokenPointer& token);

/// The public half, checked against the key's facts; nothing to do for a pseudonym key.
[[nodiscard]] Status load_public(Key& key);
/// Opens a message or signing key, and checks that it is the one that its facts name; in clear with an empty
/// passphrase.
[[nodiscard]] Status take_private(Key& key, std::string_view pem, const SecretBytes& passphrase);
/// A message or pseudonym key in a token; checked likewise. Code::no_key: the token is away, or has no such key.
[[nodiscard]] Status take_from_token(Key& key, const TokenPointer& token);
/// A pseudonym key; checked likewise.
[[nodiscard]] Status take_secret(Key& key, SecretBytes secret);
/// Long enough for its profile, and not so long that it would stop the service; Code::usage.
[[nodiscard]] Status check_rsa(std::size_t bits, const KeyPolicy& policy);

}  // namespace tpf::crypto
