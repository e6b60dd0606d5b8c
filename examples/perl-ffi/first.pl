#!/usr/bin/perl
# libmpr from Perl with FFI::Platypus (Debian: libffi-platypus-perl) and nothing else: one request, recorded.
#
#   mpr-local &                                                # the local recorder; export the three lines that it prints
#   MPR_LIBRARY=/usr/local/lib/libmpr.so.0 perl first.pl       # without MPR_LIBRARY the system looks for it
#
# Text goes in as bytes: encode what is above Latin-1 first. Under a preforking server (Starman, mod_perl) each child
# records on by itself.
use v5.24;
use warnings;
use feature 'signatures';
no warnings 'experimental::signatures';

# 32 bytes, to be the parent of other spans.
package Mpr::Context {
    use FFI::Platypus::Record;
    record_layout_1('uint8[16]' => 'trace_id', 'uint8[8]' => 'span_id', 'uint8' => 'trace_flags', 'uint8[7]' => 'reserved');
}

# The functions used here, as include/mpr.h declares them, and a little Perl above them.
package Mpr {
    use Carp;
    use FFI::Platypus 2.00;
    use FFI::Platypus::Buffer qw(grow scalar_to_pointer);
    use JSON::PP;

    use constant { SESSION_MANUAL => 0, SERVER => 2, CLIENT => 3, HTTP_REQUEST => 1, HTTP_RESPONSE => 2, WARN => 13 };

    my $ffi = FFI::Platypus->new(api => 2, lib => $ENV{MPR_LIBRARY} // 'libmpr.so.0');
    $ffi->type('record(Mpr::Context)*' => 'context');
    $ffi->attach(mpr_last_error => [] => 'string');
    $ffi->attach(mpr_init => ['opaque'] => 'sint32');
    $ffi->attach(mpr_start => ['sint32', 'string'] => 'sint32');
    $ffi->attach(mpr_stop => ['string'] => 'sint32');
    $ffi->attach(mpr_session_info => ['opaque', 'size_t', 'opaque'] => 'sint32');
    $ffi->attach(mpr_shutdown => ['uint32'] => 'sint32');
    $ffi->attach(mpr_span_begin => ['string', 'sint32', 'context'] => 'opaque');
    $ffi->attach(mpr_span_get_context => ['opaque', 'context'] => 'sint32');
    $ffi->attach(mpr_span_capture_payload => ['opaque', 'sint32', 'string', 'size_t', 'string', 'size_t'] => 'sint32');
    $ffi->attach(mpr_span_record_exception => ['opaque', 'string', 'string', 'string'] => 'sint32');
    $ffi->attach(mpr_log => ['sint32', 'string', 'size_t', 'string', 'context'] => 'sint32');
    $ffi->attach(mpr_span_end => ['opaque'] => 'void');

    # Dies with what mpr_last_error says. A positive status is no error: there was nothing to record.
    sub check ($status) { croak mpr_last_error() if $status < 0 }

    # Records a session around the code.
    sub session ($about, $code) {
        check(mpr_init(undef));    # all options come from the environment
        my $done = eval {
            check(mpr_start(SESSION_MANUAL, encode_json($about)));
            $code->();
            check(mpr_stop(undef));
            1;
        };
        my $error   = $@;
        my $stopped = mpr_shutdown(5000);    # delivers what is queued
        die $error if !$done;
        check($stopped);
    }

    sub url () {
        grow(my $json, 4096);
        check(mpr_session_info(scalar_to_pointer($json), 4096, undef));
        return decode_json($ffi->cast(opaque => 'string', scalar_to_pointer($json)))->{url};
    }

    # Runs the code in a span, which it gets. An exception is put on the span and goes on to the caller.
    sub span ($name, $kind, $parent, $code) {
        my $self = bless { context => Mpr::Context->new }, 'Mpr::Span';
        $self->{span} = mpr_span_begin($name, $kind, $parent && $parent->{context});
        mpr_span_get_context($self->{span}, $self->{context});
        my ($result, $stack);
        if (!eval { local $SIG{__DIE__} = sub { $stack = Carp::longmess('died') }; $result = $code->($self); 1 }) {
            my $error = $@;
            mpr_span_record_exception($self->{span}, ref $error || 'die', "$error", $stack);
            mpr_span_end($self->{span});
            die $error;
        }
        mpr_span_end($self->{span});
        return $result;
    }
}

package Mpr::Span {
    use JSON::PP;

    # Headers and body of a request or response; what is secret in them is masked before it leaves the process.
    sub capture ($self, $kind, $headers, $body) {
        my $lines = join "\r\n", map { "$_: $headers->{$_}" } sort keys %$headers;
        Mpr::mpr_span_capture_payload($self->{span}, $kind, $lines, length $lines, $body, length $body);
    }

    sub log ($self, $severity, $text, %attributes) {
        Mpr::mpr_log($severity, $text, length $text, encode_json(\%attributes), $self->{context});
    }
}

# ---- the service ----

package NoReplica {
    use overload '""' => sub ($self, @) { "no replica for $self->{user}" };
    sub throw ($class, %fields) { die bless {%fields}, $class }
}

package main;
use JSON::PP;

sub query_replica ($user) { NoReplica->throw(user => $user) }

sub login ($headers, $request) {
    return Mpr::span 'POST /login', Mpr::SERVER, undef, sub ($span) {
        $span->capture(Mpr::HTTP_REQUEST, $headers, $request);
        my $user = decode_json($request)->{user};
        if (!eval { Mpr::span 'SELECT users', Mpr::CLIENT, $span, sub ($) { query_replica($user) }; 1 }) {
            $span->log(Mpr::WARN, "$@; password=correct-horse", user => $user);
        }
        my $answer = encode_json({ user => $user, token => 'e1c5a8f03b77' });
        $span->capture(Mpr::HTTP_RESPONSE, { 'Content-Type' => 'application/json', 'Set-Cookie' => 'sid=5e551d2f' }, $answer);
        return $answer;
    };
}

Mpr::session { name => 'perl-ffi' }, sub {
    my $headers = { 'Content-Type' => 'application/json', 'Authorization' => 'Bearer 7f3a9c0d11e2' };
    login($headers, '{"user": "ann", "password": "correct-horse"}');
    say 'recorded into ', Mpr::url();
};
