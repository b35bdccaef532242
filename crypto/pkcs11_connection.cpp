#include "crypto/pkcs11_connection.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>

#include "base/clock.h"
#include "base/log.h"

namespace tpf::crypto {
namespace {

constexpr std::chrono::seconds kRetryEvery{1};
constexpr CK_ULONG kMostSlots = 256;

std::string_view field(const unsigned char* text, std::size_t size) noexcept {
    std::string_view view(reinterpret_cast<const char*>(text), size);
    while (!view.empty() && (view.back() == ' ' || view.back() == '\0')) view.remove_suffix(1);
    return view;
}

bool fits(const std::string& wanted, std::string_view there) noexcept {
    return wanted.empty() || wanted == there;
}

}  // namespace

bool is_answer(CK_RV answer) noexcept {
    switch (answer) {
        case CKR_OK:
        case CKR_ARGUMENTS_BAD:
        case CKR_ATTRIBUTE_READ_ONLY:
        case CKR_ATTRIBUTE_SENSITIVE:
        case CKR_ATTRIBUTE_TYPE_INVALID:
        case CKR_ATTRIBUTE_VALUE_INVALID:
        case CKR_BUFFER_TOO_SMALL:
        case CKR_DATA_INVALID:
        case CKR_DATA_LEN_RANGE:
        case CKR_ENCRYPTED_DATA_INVALID:
        case CKR_ENCRYPTED_DATA_LEN_RANGE:
        case CKR_KEY_FUNCTION_NOT_PERMITTED:
        case CKR_KEY_SIZE_RANGE:
        case CKR_KEY_TYPE_INCONSISTENT:
        case CKR_MECHANISM_INVALID:
        case CKR_MECHANISM_PARAM_INVALID:
        case CKR_TEMPLATE_INCOMPLETE:
        case CKR_TEMPLATE_INCONSISTENT:
            return true;
        default:
            return false;
    }
}

std::string answer_text(CK_RV answer) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "0x%lx", answer);
    return "the PKCS#11 module answered " + std::string(text.data());
}

Result<std::unique_ptr<Pkcs11Connection>> Pkcs11Connection::open(const Pkcs11Uri& uri, SecretBytes pin) {
    void* const library = ::dlopen(uri.module_path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return fail(Code::config, uri.module_path + " cannot be loaded as a PKCS#11 module");
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    CK_FUNCTION_LIST* list = nullptr;
    if (get == nullptr || get(&list) != CKR_OK || list == nullptr)
        return fail(Code::config, uri.module_path + " is not a PKCS#11 module");
    std::unique_ptr<Pkcs11Connection> made(new Pkcs11Connection(uri, std::move(pin), *list));
    const Status there = made->connect();
    if (!there && there.error().code() == Code::config) return fail(there.error());
    return made;
}

Pkcs11Connection::~Pkcs11Connection() {
    if (initialized_) module_.C_Finalize(nullptr);
}

void Pkcs11Connection::set_state(bool present, std::string trouble) {
    const std::lock_guard lock(notes_mutex_);
    if (present != state_.present || state_.since == UtcTime()) {
        state_.since = system_clock().utc();
        if (present) {
            log::info("the token is there", {{"stage", "token"}});
        } else {
            log::error("the token is away: messages wait", {{"stage", "token"}, {"error", trouble}});
        }
    }
    state_.present = present;
    state_.trouble = std::move(trouble);
    if (!present) handles_.clear();
}

Pkcs11Token::State Pkcs11Connection::state() {
    // A token that is there is asked whether it still is.
    const auto asked = run([this](const CK_FUNCTION_LIST& module, CK_SESSION_HANDLE session) {
        CK_SESSION_INFO info{};
        const CK_RV answer = module.C_GetSessionInfo(session, &info);
        CK_TOKEN_INFO token{};
        return answer == CKR_OK ? module.C_GetTokenInfo(slot_, &token) : answer;
    });
    static_cast<void>(asked.has_value());
    const std::lock_guard lock(notes_mutex_);
    return state_;
}

std::optional<CK_OBJECT_HANDLE> Pkcs11Connection::remembered(const std::string& name) {
    const std::lock_guard lock(notes_mutex_);
    const auto found = handles_.find(name);
    return found == handles_.end() ? std::nullopt : std::optional(found->second);
}
void Pkcs11Connection::remember(const std::string& name, CK_OBJECT_HANDLE handle) {
    const std::lock_guard lock(notes_mutex_);
    handles_[name] = handle;
}
void Pkcs11Connection::forget() {
    const std::lock_guard lock(notes_mutex_);
    handles_.clear();
}

Status Pkcs11Connection::connect() {
    const std::unique_lock lock(life_);
    if (connected_) return ok();
    const auto at = std::chrono::steady_clock::now();
    if (pin_refused_ || at < next_try_) return fail(Code::no_key, "the token is away");
    next_try_ = at + kRetryEvery;
    Status connected = connect_now();
    connected_ = connected.has_value();
    set_state(connected_, connected_ ? std::string() : connected.error().detail());
    return connected;
}

/// From the beginning: a module whose daemon was started anew needs no less.
Status Pkcs11Connection::connect_now() {
    if (initialized_) module_.C_Finalize(nullptr);
    CK_C_INITIALIZE_ARGS threads{};
    threads.flags = CKF_OS_LOCKING_OK;
    const CK_RV started = module_.C_Initialize(&threads);
    initialized_ = started == CKR_OK || started == CKR_CRYPTOKI_ALREADY_INITIALIZED;
    if (!initialized_) return fail(Code::no_key, "C_Initialize: " + answer_text(started));
    {
        const std::lock_guard lock(sessions_mutex_);
        idle_.clear();
        sessions_ = 0;
    }
    TPF_TRY(slot_, find_slot());
    ++generation_;
    CK_SESSION_HANDLE session = 0;
    if (const CK_RV taken = take(session); taken != CKR_OK)
        return fail(Code::no_key, "C_OpenSession: " + answer_text(taken));
    TPF_TRY(log_in(session));
    give_back(session);
    return ok();
}

Result<CK_SLOT_ID> Pkcs11Connection::find_slot() const {
    std::array<CK_SLOT_ID, kMostSlots> slots{};
    CK_ULONG count = kMostSlots;
    if (const CK_RV listed = module_.C_GetSlotList(CK_TRUE, slots.data(), &count); listed != CKR_OK)
        return fail(Code::no_key, "C_GetSlotList: " + answer_text(listed));
    for (CK_ULONG i = 0; i < count; ++i) {
        CK_TOKEN_INFO info{};
        if (module_.C_GetTokenInfo(slots[i], &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
        if (fits(uri_.token, field(info.label, sizeof info.label)) &&
            fits(uri_.manufacturer, field(info.manufacturerID, sizeof info.manufacturerID)) &&
            fits(uri_.model, field(info.model, sizeof info.model)) &&
            fits(uri_.serial, field(info.serialNumber, sizeof info.serialNumber))) {
            return slots[i];
        }
    }
    return fail(Code::no_key, "no token that the configuration's pkcs11: URI names");
}

Status Pkcs11Connection::log_in(CK_SESSION_HANDLE session) {
    const ByteView pin = pin_.bytes(SecretToken::access());
    // The interface takes what it reads as not const.
    const CK_RV answer =
        module_.C_Login(session, CKU_USER, const_cast<unsigned char*>(pin.data()), static_cast<CK_ULONG>(pin.size()));
    if (answer == CKR_OK || answer == CKR_USER_ALREADY_LOGGED_IN) return ok();
    if (answer == CKR_PIN_INCORRECT || answer == CKR_PIN_LOCKED || answer == CKR_PIN_LEN_RANGE ||
        answer == CKR_PIN_INVALID || answer == CKR_PIN_EXPIRED) {
        pin_refused_ = true;
        return fail(Code::config, "the token does not take the PIN",
                    "the credential pkcs11-pin; it is not tried again before a restart, since tokens lock themselves");
    }
    return fail(Code::no_key, "C_Login: " + answer_text(answer));
}

void Pkcs11Connection::disconnect(unsigned generation, CK_RV why) {
    const std::unique_lock lock(life_);
    // Somebody else may have found it again by now.
    if (!connected_ || generation != generation_) return;
    connected_ = false;
    set_state(false, answer_text(why));
}

CK_RV Pkcs11Connection::take(CK_SESSION_HANDLE& session) {
    std::unique_lock lock(sessions_mutex_);
    while (true) {
        if (!idle_.empty()) {
            session = idle_.back();
            idle_.pop_back();
            return CKR_OK;
        }
        const CK_RV answer =
            module_.C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
        if (answer == CKR_OK) {
            ++sessions_;
            return answer;
        }
        // The token has no more of them: one of ours comes free.
        if (answer != CKR_SESSION_COUNT || sessions_ == 0) return answer;
        session_free_.wait(lock, [this] { return !idle_.empty() || sessions_ == 0; });
    }
}

void Pkcs11Connection::give_back(CK_SESSION_HANDLE session) {
    {
        const std::lock_guard lock(sessions_mutex_);
        idle_.push_back(session);
    }
    session_free_.notify_one();
}

Result<CK_RV> Pkcs11Connection::run(const Work& work) {
    CK_RV answer = CKR_OK;
    for (int attempt = 0; attempt < 2; ++attempt) {
        // Whatever it is (a PIN that was changed): an operator mends it, and no message is at fault.
        if (const Status there = connect(); !there)
            return fail(Code::no_key, std::string(there.error().detail()), std::string(there.error().hint()));
        unsigned generation = 0;
        {
            const std::shared_lock lock(life_);
            if (!connected_) continue;
            generation = generation_;
            CK_SESSION_HANDLE session = 0;
            answer = take(session);
            if (answer == CKR_OK) {
                answer = work(module_, session);
                const bool usable = is_answer(answer);
                if (usable) {
                    give_back(session);
                    return answer;
                }
                module_.C_CloseSession(session);
                {
                    const std::lock_guard sessions(sessions_mutex_);
                    --sessions_;
                }
                session_free_.notify_all();
            }
        }
        disconnect(generation, answer);
    }
    return fail(Code::no_key, "the token is away: " + answer_text(answer));
}

}  // namespace tpf::crypto
