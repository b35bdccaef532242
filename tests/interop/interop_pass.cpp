// The pass as a program, for interop_test.py:
//   interop_pass TPF-PRIVATE.pem REGISTER-PUBLIC.pem SUBMISSION OUTPUT
// Message key TPF-2026, register key IPLOS-2026, pseudonym key 00 01 … 1f as version 1. Prints the code, or OK.
#include <iostream>

#include "tests/support/files.h"
#include "tests/support/pass_harness.h"

namespace {

class Keys final : public tpf::pseudonym::PassKeys {
  public:
    Keys(const std::string& tpf_pem, const std::string& register_pem)
        : tpf_(tpf::test::must(tpf::crypto::RsaPrivateKey::from_pem(tpf_pem, {}))),
          register_(tpf::test::must(tpf::crypto::RsaPublicKey::from_pem(register_pem))) {}
    tpf::Result<tpf::crypto::KeyRing::MessageKey> message_key(const tpf::KeyId& id) const override {
        if (id.str() != "TPF-2026") return tpf::fail(tpf::Code::unknown_key);
        return tpf::crypto::KeyRing::MessageKey{std::make_shared<tpf::crypto::RsaPrivateKey>(tpf_),
                                                tpf::crypto::KeyPolicy::modern(), tpf_.public_key().modulus_bytes()};
    }
    tpf::Result<tpf::pseudonym::RegisterSetup> register_setup(const tpf::RegisterName& reg) const override {
        TPF_TRY(auto setup, fake_.register_setup(reg));
        setup.keys.front().modulus_bytes = register_.modulus_bytes();
        return setup;
    }

  private:
    tpf::crypto::RsaPrivateKey tpf_;
    tpf::crypto::RsaPublicKey register_;
    tpf::test::TestKeys fake_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    using tpf::test::read_whole;
    const Keys keys(read_whole(argv[1]), read_whole(argv[2]));
    const auto answer = tpf::test::run_pass(keys, read_whole(argv[3]), {}, 1000);
    std::cout << answer.name() << '\n';
    if (!answer.report) return 1;
    tpf::test::spill(argv[4], answer.output);
    return 0;
}
