#pragma once
// RFC 7512: which PKCS#11 module, and which token in it. Only what names a token: no object, and never a PIN.

#include <string>
#include <string_view>

#include "base/result.h"

namespace tpf {

/// "pkcs11:token=tpf;serial=0123?module-path=/usr/lib/softhsm/libsofthsm2.so". Attributes that are not named match any.
struct Pkcs11Uri {
    std::string token;
    std::string manufacturer;
    std::string model;
    std::string serial;
    std::string module_path;  ///< absolute

    /// Code::config: not of this form, an attribute that is not known here or there twice, no module-path, or a PIN.
    [[nodiscard]] static Result<Pkcs11Uri> parse(std::string_view text);
    friend bool operator==(const Pkcs11Uri&, const Pkcs11Uri&) = default;
};

}  // namespace tpf
