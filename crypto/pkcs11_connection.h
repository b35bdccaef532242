#pragma once
// The way to a token: module, login, sessions, and coming back when it was away. Internal to crypto/.

#include <p11-kit/pkcs11.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "crypto/pkcs11_token.h"

namespace tpf::crypto {

/// Thread-safe.
class Pkcs11Connection {
  public:
    [[nodiscard]] static Result<std::unique_ptr<Pkcs11Connection>> open(const Pkcs11Uri& uri, SecretBytes pin);
    ~Pkcs11Connection();

    /// What is done in one session: an answer of the module's. It may be called a second time, in a new session, after
    /// the token was found again.
    using Work = std::function<CK_RV(const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session)>;
    /// The answer, where it says something of the request; Code::no_key when the token is away, or does not take the
    /// PIN any more: messages wait.
    [[nodiscard]] Result<CK_RV> run(const Work& work);
    [[nodiscard]] Pkcs11Token::State state();

    /// A handle that is remembered until the token was away, under a name of the caller's.
    [[nodiscard]] std::optional<CK_OBJECT_HANDLE> remembered(const std::string& name);
    void remember(const std::string& name, CK_OBJECT_HANDLE handle);
    void forget();

  private:
    Pkcs11Connection(Pkcs11Uri uri, SecretBytes pin, const CK_FUNCTION_LIST& module)
        : uri_(std::move(uri)), pin_(std::move(pin)), module_(module) {}
    [[nodiscard]] Status connect();
    [[nodiscard]] Status connect_now();
    [[nodiscard]] Result<CK_SLOT_ID> find_slot() const;
    [[nodiscard]] Status log_in(CK_SESSION_HANDLE session);
    void disconnect(unsigned generation, CK_RV why);
    [[nodiscard]] CK_RV take(CK_SESSION_HANDLE& session);
    void give_back(CK_SESSION_HANDLE session);
    void set_state(bool present, std::string trouble);

    const Pkcs11Uri uri_;
    const SecretBytes pin_;
    const CK_FUNCTION_LIST& module_;

    std::shared_mutex life_;  // shared by who works in a session, alone for who connects
    bool connected_ = false;
    bool initialized_ = false;
    bool pin_refused_ = false;
    unsigned generation_ = 0;
    CK_SLOT_ID slot_ = 0;
    std::chrono::steady_clock::time_point next_try_{};

    std::mutex sessions_mutex_;
    std::condition_variable session_free_;
    std::vector<CK_SESSION_HANDLE> idle_;
    std::size_t sessions_ = 0;

    std::mutex notes_mutex_;
    Pkcs11Token::State state_{false, {}, "not looked for yet"};
    std::map<std::string, CK_OBJECT_HANDLE> handles_;
};

/// Whether the answer speaks of the request: the token is there.
[[nodiscard]] bool is_answer(CK_RV answer) noexcept;
/// A CKR_ value as text.
[[nodiscard]] std::string answer_text(CK_RV answer);

}  // namespace tpf::crypto
