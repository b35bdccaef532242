// Dudect's method (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): two classes of input in
// random order, the time of each, Welch's t between the classes, over all measurements and over those below several
// percentiles (what the machine does beside is a tail). |t| above 4.5 is a difference; that it is below is no proof.
//
//   tpf-timing [--count N] [--rsa BITS] [--transport modern|rsa-1_5] [--faulty padding|length|random]

#include <x86intrin.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "crypto/rsa.h"

namespace {

using namespace tpf;
using namespace tpf::crypto;

constexpr double kDifference = 4.5;

struct Options {
    std::size_t count = 20'000;
    std::size_t bits = 3072;
    std::string transport = "modern";
    std::string faulty = "padding";
};

struct Sample {
    bool faulty;
    double cycles;
};

/// Ciphertexts of one class, all different: a table that the measured code walks through.
std::vector<Bytes> ciphertexts(const RsaPublicKey& key, KeyTransport transport, bool good, const std::string& fault,
                               std::size_t count) {
    std::vector<Bytes> all;
    const auto other = transport == KeyTransport::rsa_1_5 ? KeyTransport::oaep_mgf1p_sha1 : KeyTransport::rsa_1_5;
    KeyWrapper right(key, transport), wrong(key, other);
    for (std::size_t i = 0; i < count; ++i) {
        const bool shorter = !good && fault == "length";
        const auto content = ContentKey::random(shorter ? ContentCipher::aes128_gcm : ContentCipher::aes256_gcm);
        Bytes wrapped = (good || shorter ? right : wrong).wrap(content).value();
        if (!good && fault == "random") {
            const auto random = SecretBytes::random(wrapped.size());
            const ByteView bytes = random.bytes(SecretToken::access());
            wrapped.assign(bytes.begin(), bytes.end());
            wrapped[0] = 0;
        }
        all.push_back(std::move(wrapped));
    }
    return all;
}

std::vector<Sample> measure(const RsaPrivateKey& key, KeyTransport transport, const std::vector<Bytes>& good,
                            const std::vector<Bytes>& bad, std::size_t count) {
    std::mt19937_64 random(std::random_device{}());
    std::vector<Sample> samples;
    samples.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const bool faulty = (random() & 1U) != 0;
        const Bytes wrapped = (faulty ? bad : good)[random() % good.size()];
        unsigned core = 0;
        const auto begin = __rdtscp(&core);
        const auto opened = key.unwrap(transport, ContentCipher::aes256_gcm, wrapped);
        const auto end = __rdtscp(&core);
        if (!opened) std::abort();
        samples.push_back({faulty, static_cast<double>(end - begin)});
    }
    return samples;
}

struct Moments {
    double count = 0, mean = 0, squares = 0;
    void add(double value) {
        ++count;
        const double step = value - mean;
        mean += step / count;
        squares += step * (value - mean);
    }
    [[nodiscard]] double error() const { return squares / (count - 1) / count; }
};

double welch(const std::vector<Sample>& samples, double below) {
    Moments good, bad;
    for (const Sample& sample : samples) {
        if (sample.cycles <= below) (sample.faulty ? bad : good).add(sample.cycles);
    }
    return (bad.mean - good.mean) / std::sqrt(good.error() + bad.error());
}

int report(const Options& options, const std::vector<Sample>& samples) {
    std::vector<double> sorted;
    for (const Sample& sample : samples) sorted.push_back(sample.cycles);
    std::sort(sorted.begin(), sorted.end());
    double most = 0;
    for (const double part : {0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0}) {
        const auto at = static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1));
        const double t = welch(samples, sorted[at]);
        std::printf("below the %3.0f. percentile: t = %+.2f\n", part * 100, t);
        most = std::max(most, std::abs(t));
    }
    std::printf("%s, good against faulty (%s), %zu openings, median %.0f cycles: |t| at most %.2f, %s\n",
                options.transport.c_str(), options.faulty.c_str(), samples.size(), sorted[sorted.size() / 2], most,
                most > kDifference ? "A DIFFERENCE" : "no difference");
    return most > kDifference ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Whether the time of opening a wrapped key tells what was in it (dudect's method).", "tpf-timing");
    app.add_option("--count", options.count, "openings")->capture_default_str();
    app.add_option("--rsa", options.bits, "bits of the key")->capture_default_str();
    app.add_option("--transport", options.transport)
        ->check(CLI::IsMember({"modern", "rsa-1_5"}))
        ->capture_default_str();
    app.add_option("--faulty", options.faulty)
        ->check(CLI::IsMember({"padding", "length", "random"}))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    const auto transport =
        options.transport == "modern" ? KeyTransport::oaep_sha256_mgf1_sha256 : KeyTransport::rsa_1_5;
    constexpr std::size_t kTable = 512;
    const auto key = RsaPrivateKey::generate(options.bits);
    const auto good = ciphertexts(key.public_key(), transport, true, options.faulty, kTable);
    const auto bad = ciphertexts(key.public_key(), transport, false, options.faulty, kTable);
    static_cast<void>(measure(key, transport, good, bad, kTable));  // caches and clocks warm up
    return report(options, measure(key, transport, good, bad, options.count));
}
