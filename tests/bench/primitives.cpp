// tpf-bench: what the primitives alone cost, so that script/bench can hold the programs against them. Prints one JSON
// object a run. Processor time is CLOCK_PROCESS_CPUTIME_ID (user and system), wall time CLOCK_MONOTONIC.

#include <botan/aead.h>
#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/pubkey.h>
#include <botan/system_rng.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/base64_stream.h"
#include "base/fs.h"
#include "base/sha256.h"
#include "crypto/content_cipher.h"
#include "crypto/rsa.h"
#include "pseudonym/derivation.h"
#include "tests/bench/measure.h"

namespace {

using namespace tpf;
using bench::must;
using bench::now;
using Json = nlohmann::ordered_json;

constexpr std::size_t kPiece = 256 * 1024;

/// Processor seconds of `work`.
double cpu_seconds(const std::function<void()>& work) {
    const double begun = now(CLOCK_PROCESS_CPUTIME_ID);
    work();
    return now(CLOCK_PROCESS_CPUTIME_ID) - begun;
}

/// Operations a second over all threads, for `seconds`.
double rate(unsigned threads, double seconds, const std::function<std::function<void()>()>& make) {
    std::vector<std::thread> running;
    std::vector<std::uint64_t> counts(threads);
    const double end = now(CLOCK_MONOTONIC) + seconds;
    for (unsigned i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            const auto work = make();
            while (now(CLOCK_MONOTONIC) < end) {
                work();
                ++counts[i];
            }
        });
    }
    for (auto& thread : running) thread.join();
    std::uint64_t total = 0;
    for (const auto count : counts) total += count;
    return static_cast<double>(total) / seconds;
}

/// The limits that small messages and tpf-krypt are held against are Botan's, with decryptor and encryptor kept;
/// `unwrap_per_second` and `wrap_per_second` are what the core and tpf-krypt do.
Json rsa(unsigned threads, double seconds, std::size_t bits) {
    const auto key = crypto::RsaPrivateKey::generate(bits);
    const auto content = crypto::ContentKey::random(crypto::ContentCipher::aes256_gcm);
    constexpr auto kTransport = crypto::KeyTransport::oaep_sha256_mgf1_sha256;
    const Bytes wrapped = must(crypto::KeyWrapper(key.public_key(), kTransport).wrap(content));
    Json out;
    out["bits"] = bits;
    out["threads"] = threads;
    const auto clear = key.pem(crypto::SecretBytes());
    Botan::DataSource_Memory pem(clear.bytes(crypto::SecretToken::access()).data(), clear.size());
    const std::shared_ptr<Botan::Private_Key> botan_key = Botan::PKCS8::load_key(pem);
    out["private_per_second"] = rate(threads, seconds, [&] {
        auto random = std::make_shared<Botan::System_RNG>();
        auto decryptor = std::make_shared<Botan::PK_Decryptor_EME>(*botan_key, *random, "EME1(SHA-256)");
        return [&, random, decryptor] {
            static_cast<void>(decryptor->decrypt_or_random(wrapped.data(), wrapped.size(), 32, *random));
        };
    });
    out["unwrap_per_second"] = rate(threads, seconds, [&] {
        return [&] { must(key.unwrap(kTransport, crypto::ContentCipher::aes256_gcm, wrapped)); };
    });
    const Bytes key_bytes(32, 0x42);
    out["public_per_second"] = rate(threads, seconds, [&] {
        auto random = std::make_shared<Botan::System_RNG>();
        auto encryptor = std::make_shared<Botan::PK_Encryptor_EME>(*botan_key, *random, "EME1(SHA-256)");
        return [&, random, encryptor] {
            static_cast<void>(encryptor->encrypt(key_bytes.data(), key_bytes.size(), *random));
        };
    });
    out["wrap_per_second"] = rate(threads, seconds, [&] {
        auto wrapper = std::make_shared<crypto::KeyWrapper>(key.public_key(), kTransport);
        return [&, wrapper] { must(wrapper->wrap(content)); };
    });
    return out;
}

/// Judges a number and derives its pseudonym `count` times, as the pass does it.
void derive(pseudonym::PseudonymDeriver& deriver, std::size_t count) {
    static const pseudonym::NumberRules kRules;
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out.clear();
        const auto judged = pseudonym::IdentityNumber::judge("13097248022", kRules);
        if (!deriver.append(*judged.number, "974761076", out)) std::abort();
    }
}

Json pseudonyms(double seconds) {
    const auto key = crypto::SecretBytes::random(32);
    constexpr std::size_t kBatch = 1000;
    const double batches = rate(1, seconds, [&] {
        auto deriver = std::make_shared<pseudonym::PseudonymDeriver>(crypto::HmacSha256(key), 1, "IPLOS");
        return [deriver] { derive(*deriver, kBatch); };
    });
    return {{"pseudonyms_per_second", batches * kBatch}};
}

/// Every primitive of the pass over as much data as a submission of `file`'s size and of so many persons brings, one
/// after the other.
Json primitives(const std::string& file, const std::string& scratch, std::size_t persons) {
    FileSystem& fs = posix_file_system();
    const std::uint64_t size = must(fs.info(Path(file))).size;
    const std::uint64_t plain = size / 4 * 3;
    Bytes piece(kPiece);
    Json out;
    out["bytes"] = size;
    const auto each = [](std::uint64_t bytes, const std::function<void(std::size_t)>& work) {
        for (std::uint64_t done = 0; done < bytes; done += kPiece)
            work(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, bytes - done)));
    };
    out["read"] = cpu_seconds([&] {
        const auto input = must(fs.open_read(file));
        while (must(input->read(piece)) != 0) {
        }
    });
    out["sha256_input"] = cpu_seconds([&] {
        Sha256 digest;
        each(size, [&](std::size_t n) { digest.update(ByteView(piece.data(), n)); });
        static_cast<void>(digest.finish());
    });
    const std::string text(kPiece, 'A');
    Bytes decoded(Base64Decoder::max_output(kPiece));
    out["base64"] = cpu_seconds([&] {
        Base64Decoder decoder;
        each(size, [&](std::size_t n) { must(decoder.update(std::string_view(text).substr(0, n), decoded.data())); });
    });
    out["aes_gcm"] = cpu_seconds([&] {
        crypto::ContentDecryptor decryptor(crypto::ContentKey::random(crypto::ContentCipher::aes256_gcm), kPiece);
        each(plain, [&](std::size_t n) {
            static_cast<void>(decryptor.prepare(n));
            must(decryptor.advance(n));
        });
    });
    // Beside it, as the limits for RSA are: what the platform's notes name.
    out["botan_aes_gcm"] = cpu_seconds([&] {
        const auto mode = Botan::AEAD_Mode::create_or_throw("AES-256/GCM", Botan::DECRYPTION);
        mode->set_key(Bytes(32, 0x42));
        mode->start(Bytes(12, 0));
        constexpr std::size_t kSlice = 16 * 1024;  // the cipher and the hash each go over it: in the first-level cache
        each(plain - plain % kSlice, [&](std::size_t n) {
            for (std::size_t at = 0; at < n; at += kSlice) mode->process(piece.data() + at, kSlice);
        });
    });
    out["base64_check"] = cpu_seconds([&] {
        Base64Validator validator;
        each(plain, [&](std::size_t n) { must(validator.update(std::string_view(text).substr(0, n))); });
    });
    out["pseudonyms"] = cpu_seconds([&] {
        pseudonym::PseudonymDeriver deriver(crypto::HmacSha256(crypto::SecretBytes::random(32)), 1, "IPLOS");
        derive(deriver, persons);
    });
    out["sha256_output"] = cpu_seconds([&] {
        Sha256 digest;
        each(plain, [&](std::size_t n) { digest.update(ByteView(piece.data(), n)); });
        static_cast<void>(digest.finish());
    });
    out["write_and_fsync"] = cpu_seconds([&] {
        const auto output = must(fs.create(scratch, 0600));
        each(plain, [&](std::size_t n) { must(output->write(ByteView(piece.data(), n))); });
        must(output->sync());
    });
    must(fs.remove_file(scratch));
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Measures what the primitives alone cost.", "tpf-bench");
    app.require_subcommand(1);
    unsigned threads = std::thread::hardware_concurrency();
    double seconds = 3;
    std::size_t bits = 3072;
    std::string file, scratch;
    auto* rsa_command = app.add_subcommand("rsa", "key transport: private and public operations a second");
    rsa_command->add_option("--threads", threads);
    rsa_command->add_option("--bits", bits);
    auto* pseudonym_command = app.add_subcommand("pseudonyms", "pseudonyms a second on one core");
    for (auto* sub : {rsa_command, pseudonym_command}) sub->add_option("--seconds", seconds);
    auto* primitive_command =
        app.add_subcommand("primitives", "processor seconds of each primitive over a file's bytes");
    primitive_command->add_option("file", file)->required();
    primitive_command->add_option("scratch", scratch)->required();
    std::size_t persons = 0;
    primitive_command->add_option("--persons", persons, "pseudonyms to derive");
    CLI11_PARSE(app, argc, argv);
    Json out;
    if (rsa_command->parsed()) out = rsa(threads, seconds, bits);
    if (pseudonym_command->parsed()) out = pseudonyms(seconds);
    if (primitive_command->parsed()) out = primitives(file, scratch, persons);
    std::printf("%s\n", out.dump().c_str());
    return 0;
}
