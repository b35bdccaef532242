// A PKCS#11 module for the tests: SoftHSM without CKM_RSA_X_509, as tokens are that only unpad themselves, and, when
// told so, with every decryption failing, as of a token that is broken but there.

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <atomic>

namespace {

CK_FUNCTION_LIST* soft = nullptr;
CK_FUNCTION_LIST ours{};
std::atomic<bool> broken{false};

CK_RV decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
    if (mechanism->mechanism == CKM_RSA_X_509) return CKR_MECHANISM_INVALID;
    return soft->C_DecryptInit(session, mechanism, key);
}

CK_RV decrypt(CK_SESSION_HANDLE session, unsigned char* in, unsigned long size, unsigned char* out,
              unsigned long* out_size) {
    const CK_RV answer = soft->C_Decrypt(session, in, size, out, out_size);
    return broken ? CKR_GENERAL_ERROR : answer;
}

}  // namespace

extern "C" {

CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
    void* const library = ::dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return CKR_GENERAL_ERROR;
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (get == nullptr) return CKR_GENERAL_ERROR;
    if (const CK_RV answer = get(&soft); answer != CKR_OK) return answer;
    ours = *soft;
    ours.C_DecryptInit = decrypt_init;
    ours.C_Decrypt = decrypt;
    *list = &ours;
    return CKR_OK;
}

void tpf_test_break_token(bool on) {
    broken = on;
}
}
