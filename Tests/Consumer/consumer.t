#!/usr/bin/env perl
# A package of somebody else depends on this one by git URL, builds, and runs. SwiftPM refuses unsafe flags and paths
# outside of the package in a dependency by URL, and in nothing else, so only a real dependency shows that there are none.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More tests => 4;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $work = tempdir('oxidize-consumer-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $copy = "$work/oxidize";
my $consumer = "$work/consumer";

# Runs a program and returns its exit status; its output is shown when it failed.
sub run {
    my @command = @_;
    open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "cannot run $command[0]: $!";
    my $output = do { local $/; <$pipe> } // '';
    close $pipe;
    diag("@command:\n$output") if $? != 0;
    return ($?, $output);
}

# The work tree as it is, with changes that are not committed yet, as a repository with one commit.
sub repository_of_work_tree {
    open my $list, '-|', 'git', '-C', $root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'
        or die "cannot run git: $!";
    local $/ = "\0";
    while (my $path = <$list>) {
        chomp $path;
        next unless -f "$root/$path";
        make_path(dirname("$copy/$path"));
        copy("$root/$path", "$copy/$path") or die "cannot copy $path: $!";
    }
    close $list;
    local $/ = "\n";
    my @author = ('-c', 'user.name=consumer', '-c', 'user.email=consumer@example.org', '-c', 'commit.gpgsign=false');
    for my $step (['init', '-q', '-b', 'main'], ['add', '--all'], ['commit', '-q', '-m', 'The work tree'], ['tag', '0.1.0']) {
        my ($status) = run('git', '-C', $copy, @author, @$step);
        return 0 if $status != 0;
    }
    return 1;
}

sub write_file {
    my ($path, $text) = @_;
    make_path(dirname($path));
    open my $file, '>', $path or die "cannot write $path: $!";
    print $file $text;
    close $file or die "cannot write $path: $!";
}

ok(repository_of_work_tree(), 'the work tree is a repository');

write_file("$consumer/Package.swift", <<"END");
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "consumer",
    dependencies: [.package(url: "file://$copy", from: "0.1.0")],
    targets: [
        .executableTarget(
            name: "consumer",
            dependencies: [
                .product(name: "Oxidize", package: "oxidize"),
                .product(name: "OxCore", package: "oxidize"),
            ])
    ]
)
END
make_path("$consumer/Sources/consumer");
copy("$root/Tests/Consumer/main.swift", "$consumer/Sources/consumer/main.swift") or die "cannot copy main.swift: $!";

my ($status) = run('swift', 'build', '--package-path', $consumer);
is($status, 0, 'a package that depends on it by git URL builds');

SKIP: {
    skip 'it did not build', 2 if $status != 0;
    my ($ran, $output) = run("$consumer/.build/debug/consumer");
    is($ran, 0, 'the program of that package runs');
    like($output, qr/^consumer: ok$/m, 'and has what it imports');
}
