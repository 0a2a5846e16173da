#include "text/english.h"

/*
 * Verbs that people ask about, of our own making, by first letter. Flags after the
 * colon: i intransitive, n also a noun, p its gerund often follows a noun, d doubles the
 * last consonant, k adds a k ("trafficking").
 */
const char *const english_regular_verbs[26] = {
    ['a' - 'a'] =
        " abandon abduct abet:d abolish absorb abuse:n accelerate accept access:n "
        "accommodate accompany accomplish account:in accrue accuse:p ache:in achieve "
        "acknowledge acquire act:in activate adapt add address:n adhere:i adjust "
        "administer admire admit:d adopt adore advance:n advertise advise:p "
        "advocate:np aerosolise aerosolize affect afford age:n agree:i aid:n aim:inp "
        "air:n alarm:n alert:n align allege:p allocate allow:p alter amass amend "
        "amount:in amplify amuse analyse analyze animate annotate announce:p annoy "
        "answer:n anticipate apologise:i apologize:i appeal:in appear:i appease "
        "applaud apply appoint appreciate approach:n approve archive:n argue:ip arm:n "
        "arrange arrest:n arrive:i ask:p assassinate assault:n assemble assert:p "
        "assess assign assist:n associate:n assume assure attach attack:np attain "
        "attempt:n attend attract audit:n augment authenticate authorise authorize "
        "automate avert avoid award:n ",
    ['b' - 'a'] =
        " back:n backdate bait:n bake balance:n bamboozle ban:n banish bank:n bar:n "
        "barbecue:n bargain:in barter:n base:n baste batch:n bathe battle:n beautify "
        "beg behave:i behead believe belittle:p belong:i benchmark:n benefit:n berate "
        "betray bilk bill:n binge:in blackmail:n blame:n blanch blast:n bleach:n "
        "blend:n bless block:n blog:in bloom:in blow-dry bluff:n board:n boast:in "
        "boil:n bolt:n bomb:n bombard book:n boost:np boot:n bootleg:dn border:n "
        "borrow bother bottle:n bounce:n bow:in box:n boycott:n brag:i braid:n "
        "brainstorm brainwash braise brake:n brand:n brandish breach:n breathe:i "
        "brew:n bribe:n bridge:n brief:n brine:n brush:n brute-force budget:n bug:n "
        "bully:n bump:n burgle burp:in bury bust:n butcher:n button:n bypass:n ",
    ['c' - 'a'] =
        " cache:n cajole calculate calibrate call:n calm camouflage:n camp:in "
        "campaign:in can:n cancel cane:n cannibalise cannibalize canvass capture:n "
        "caramelise caramelize carbonate card:n care:in caress carjack carry cart:n "
        "carve cash:n catalog:n catcall:n categorise categorize cater:i catfish:n "
        "caulk:n cause:np cease celebrate:p censor:n censure:n center:n certify "
        "chain:n challenge:np change:n channel:n charge:n charm:n chart:n chase:n "
        "chastise chat:din cheat:n check:n cheer:n chew chill:n chisel:n choke:n "
        "chop:n churn:n circulate circumvent cite claim:np clarify clash:in classify "
        "clean cleanse clear click:in climb:n clip:n cloak:n clone:n close club:n "
        "clue:n coach:n coat:n coax code:n coerce:p coil:n collaborate:i collapse:in "
        "collect collide:i color:n colour:n comb:n combat:n combine comfort:n "
        "command:n comment:in commission:n commit:d communicate commute:in compare:p "
        "compensate compete:i compile complain:ip complete compliment:n comply:i "
        "compose compost:n compress compromise:n compute con:dn conceal concentrate "
        "conclude concoct condemn:p condition:n conduct:n confess configure confine "
        "confirm confiscate conform:i confront confuse congratulate connect conquer "
        "conserve consider consist:i conspire:i construct consult consume contact:n "
        "contain:p containerise containerize contaminate contest:n continue "
        "contract:n contradict contribute:i control:dn convert convey convict:n "
        "convince:p cook:n cool cooperate:i coordinate cope:i copy:n copyright:n "
        "correct corrupt counsel:n count:n counter:n counterfeit:n couple:n cover:n "
        "crack:n cradle:n craft:n crash:n crave crawl:in create credit:n criminalise "
        "criminalize crimp cripple criticise:p criticize:p crochet:n crop:n cross:n "
        "crowd:n crowdfund crown:n cruise:n crush:n cry:in cultivate curb:n cure:n "
        "curl:n curse:n curve:n customise customize cyberbully cyberstalk cycle:in ",
    ['d' - 'a'] =
        " damage:n dance:in dangle dare darn:n dash:in date:n deactivate deanonymise "
        "deanonymize debate:n debug:d decant decarbonise decarbonize decay:in deceive "
        "dechlorinate decide:i decimate declare:p declaw decline:n declutter decode "
        "decompile decorate decrease:n decrypt dedicate deepfake:n deface defame "
        "defeat:n defend:p defer:d define deflate defraud defrost defuse defy "
        "degrade:p dehumanise:p dehumanize:p dehydrate delay:n delegate:n delete "
        "delight:n deliver demand:np demean:p demolish demonstrate:p demoralise "
        "demoralize demote denounce:p deny:p deobfuscate depend:i depict:p deploy "
        "deport depose deposit:n depress deprive derail derive descale descend:i "
        "describe:p desert:n deserve design:n desire:n destabilise destabilize "
        "destroy detach detail:np detain detect deter:d deteriorate:i determine "
        "detonate detox:n develop devise devote diagnose dial:n dice die:i diet:in "
        "differ:i differentiate digitise digitize dilute diminish dine:i dip:n "
        "direct:p disable disagree:i disappear:i disappoint disarm disassemble "
        "disavow discard discharge:n discipline:n disclose disconnect discourage:p "
        "discover discredit:p discriminate:i discuss:p disenfranchise disguise:n "
        "disinfect dislike:n dismantle dismember dismiss disobey dispatch:n dispense "
        "disperse display:n dispose:i dispute:n disregard disrupt disseminate "
        "dissolve dissuade distil distill:d distinguish distort distract distribute "
        "disturb ditch:n diversify divert divide divorce:n doctor:n document:np "
        "dodge:n dominate donate double:n doubt:n downgrade:n download:n downplay:p "
        "dox doxx draft:n drag:n drain:n dress:n dribble drift:in drill:n drip:n "
        "drone:n drop:n drown drug:n dry dump:n dupe duplicate:n dust:n dye:n ",
    ['e' - 'a'] =
        " ease:n eavesdrop:di echo:n edit:n educate elect electrocute elevate elicit "
        "eliminate elude email:n embalm embarrass embed:d embellish embezzle embrace "
        "emerge:i emit:d emphasise:p emphasize:p employ empower empty emulate "
        "enable:p enact encode encounter:n encourage:p encrypt end:n endanger "
        "endorse:p endure enforce engage:i engineer:n engrave enhance enjoy enlarge "
        "enlist enrich enroll:di enslave ensure enter entertain entice:p entitle "
        "entrap:d envision equip:d eradicate erase erect erode escalate escape:n "
        "establish estimate:n evacuate evade evaluate evaporate evict evoke evolve:i "
        "exacerbate exaggerate examine exceed excel:di exchange:n excite exclude "
        "excuse:n execute exercise:n exert exfiltrate exfoliate exhaust:n exhibit:n "
        "exist:i exit:n exorcise expand expect expedite expel:d experience:n "
        "experiment:in expire:i explain:p explode exploit:np explore:p export:n "
        "expose:p express extend exterminate extinguish extort extract:n ",
    ['f' - 'a'] =
        " fabricate face:n facilitate fade:i fail:i faint:i fake:n falsify fan:n "
        "farm:n fascinate fast:in fasten favor:n favour:n fawn:i fear:n feature:np "
        "feign felt:n ferment fertilise fertilize fetch fiddle:in file:n fill "
        "fillet:n film:n filter:n finance:n fine-tune finger:n finish:n fire:n "
        "firebomb:n fish:in fix:n flag:n flash:n flatten flatter flavor:n flavour:n "
        "fleece:n flip flirt:in float:in flog:n flood:n floss:n flourish:i flow:in "
        "flush focus:inp foil:n fold:n follow fool:np force:np foreclose forge form:n "
        "format:dn formulate forward foster fragment:n frame:n free frequent frighten "
        "frost:n froth:n frustrate fry fuel:np fulfill:d function:in fund:n fundraise "
        "funnel:n furnish fuse:n ",
    ['g' - 'a'] =
        " gag:n gain:n gamble:in garden:in gargle garnish:n gas:n gaslight:n gather "
        "gauge:n gaze:in generate geocache:i geotag:d germinate gerrymander ghost:n "
        "glamorise:p glamorize:p glaze:n glean glorify:p glue:n gossip:in govern "
        "grab:n grade:n graduate:in graft:n grant:n graph:n grasp:n grate greet "
        "grieve grill:n grip:n groom:n grope ground group:n grout:n guarantee:n "
        "guard:n guess:n guide:n guilt-trip gut:n ",
    ['h' - 'a'] =
        " hack:n haggle:i halt:n hammer:n hand:n handcuff:n handle:n happen:i harass:p "
        "harbor:n harbour:n harden harm:n harness:n harrow:n harvest:n hatch hate:n "
        "haul:n haunt head:n heal heat:n heckle help:np hem:n hijack hike:in hinder "
        "hint:in hire hoard:n hoax:n honor:n honour:n hoodwink hook:n hop:in hope:in "
        "host:n hotwire hound:n housebreak hover:i hug:n humiliate:p hunt:n hurry:i "
        "hydrate hypnotise hypnotize ",
    ['i' - 'a'] =
        " ice:n identify ignite ignore illustrate:p imagine imitate immigrate:i "
        "impact:n impair impeach impede impersonate:p implant:n implement:n implicate "
        "imply:p import:n impose impress imprison improve improvise incite:p "
        "include:p incorporate increase:n incriminate incubate index:n indicate:p "
        "indoctrinate:p induce infect infer:d infiltrate inflate inflict influence:np "
        "inform:p infringe:i infuse inhale inherit inhibit initiate inject injure "
        "innovate:i inquire:i insert:n insinuate:p insist:ip inspect inspire:p "
        "install instigate:p instill:d instruct:p insulate insult:np insure integrate "
        "intend intensify interact:i intercept interest:n interfere:i intern:n "
        "interpret interrogate interrupt intervene:i interview:n intimidate:p "
        "introduce:p invade invent invest:i investigate invite:np invoice:n invoke "
        "involve:p iron:n irrigate isolate issue:n itemise itemize ",
    ['j' - 'a'] = " jam:dn jar:n jeopardise jeopardize jinx:n join joke:in journal:in "
                  "joyride:in judge:n juggle jump:in justify:p ",
    ['k' - 'a'] = " keylog kick:n kidnap:d kill:n kiss:n knead knock:n knot:n ",
    ['l' - 'a'] =
        " label:n labor:in labour:in lace:n ladle:n laminate land:n lap:n lasso:n "
        "last:i lathe:n laugh:in launch:n launder leak:n lean:in leash:n lecture:n "
        "leer:i legalise legalize legitimise:p legitimize:p lengthen licence:n "
        "license:n lick:n lift:n like limit:n limp:in line:n link:np liquidate "
        "list:np listen:i live:i livestream:n load:n loaf:i loan:n lobby:n locate "
        "lock:n log:n loiter:i long:i look:in loop:n loosen loot:n love:n lower "
        "lull:n lure:np lynch ",
    ['m' - 'a'] =
        " machine:n mail:n maim maintain manage manifest manipulate:p manufacture "
        "map:n marginalise:p marginalize:p marinate mark:n market:n marry mask:n "
        "massage:n master:n match:n mate:n matter:in maximise maximize measure:n "
        "mediate:i meditate:i melt memorise memorize mend mention:np mentor:n merge "
        "mess:in message:n migrate:i milk:n mill:n mimic:k mine:n minimise minimize "
        "misappropriate miscarry:i misinform:p misreport misrepresent:p miss:n misstate "
        "mitigate "
        "mix:n moan:in mobilise mobilize mock:p model:n moderate modify moisturise "
        "moisturize mold:n molest monetise monetize monitor:n mop:n mould:n mount:n "
        "mourn move:n muffle mug:n mulch:n multiply murder:n murmur:n mute:n mutilate "
        "mutter:n ",
    ['n' - 'a'] =
        " nag name:n narrate:p navigate need:n neglect:n negotiate neighbour:n net:n "
        "network:in neuter neutralise neutralize nick:n nominate normalise:p "
        "normalize:p notarise notarize note:n notice:n notify nudge:n number:n "
        "nurse:n nurture ",
    ['o' - 'a'] =
        " obey obfuscate object:in obscure observe obstruct obtain occupy occur:di "
        "offend offer:np offload ogle onboard onload ooze:i open operate oppose:p "
        "oppress optimise optimize orchestrate order:n organise organize orient "
        "originate:i ostracise ostracize oust outline:np outperform outsmart "
        "outsource outwit:d overcharge overclock overdose:in overinvoice overload:n "
        "overlook overpower overstate overwhelm owe own ",
    ['p' - 'a'] =
        " pace:n pacify pack:n package:n pad:n paint:n panic:ikn paraphrase:n park:n "
        "parse participate:i pass:n paste:n patch:n patent:n pause:n peddle peel:n "
        "peg:n penetrate pentest perceive perfect perform permit:dn perpetrate "
        "perpetuate:p persecute persist:i persuade:p pester pet:n petition:n phish "
        "photograph:n phrase:n pick:n picket pickle:n pilfer pilot:n pimp:n pin:n "
        "pinch:n pirate:n pitch:n pivot:in place:n plagiarise plagiarize plait:n "
        "plan:n plant:n plaster:n plate:n play:n please pleat:n plot:n plough:n plow "
        "pluck plug:n plunder poach podcast:n poison:n poke:n polarise polarize "
        "polish:n poll:n pollinate pollute ponder pool:n popularise:p popularize:p "
        "portray:p pose:inp possess post:n postpone potty-train pour pout:n powder:n "
        "power:n practice:n practise praise:np prank:n pray:i preach predict prefer:d "
        "prepare prescribe present:np preserve press:n pressure:n pretend:i prevent "
        "price:n prime print:n prioritise prioritize process:n procure prod:n "
        "produce:n profile:n profit:in program:dn progress:in prohibit project:n "
        "prolong promise:np promote:p prompt:np pronounce proof:n propagate:p "
        "propel:d propose:p prosecute prosper:i prostitute:n protect protest:in "
        "provide:p provoke:p proxy:n prune publicise:p publicize:p publish puff "
        "pull:n pump:n punch:n punish purchase:n purge:n purify pursue push:n "
        "puzzle:n ",
    ['q' - 'a'] = " qualify quarantine:n query:n question:np queue:in quilt:n quote:n ",
    ['r' - 'a'] =
        " race:n radicalise:p radicalize:p raid:n raise:n rally:n rank:n ransack "
        "rape:n rate:n rationalise:p rationalize:p rattle raytrace reach:n react:i "
        "realise realize reap rearrange reassemble reassure rebel:di recall:n receive "
        "recharge recite reclaim recognise recognize recommend:p reconcile reconnect "
        "reconstruct record:n recount:n recover recruit:n rectify recycle redeem "
        "redirect reduce refactor refer:dp reference:n refine reflect reform:n "
        "refresh refund:n refuse refute regain register:n regret:dn regulate rehearse "
        "reheat rehome reinforce:p reinstall reject:n relapse:in relate:i relax:i "
        "release:n relieve reload relocate rely:i remain:i remedy:n remember remind "
        "remove rename render renew renovate rent:n reopen reorganise reorganize "
        "repair:n repeat repel:d replace replenish replicate reply:in report:np "
        "repot:d represent repress reprimand:n reprogram:d request:np require:p "
        "rescue:n research:n resemble reserve:n reside:i resign:i resise resist "
        "resize resolve respect:n respond:i rest:in restart:n restock restore "
        "restrain restrict restructure result:in resume retain retaliate:i retire:i "
        "retrieve return:n reuse reveal:p reverse reverse-engineer review:np revise "
        "revive revoke revolt:in reward:n rewire ridicule:np rifle:n rig:n rile "
        "rinse:n risk:n roast:n rob rock:n roll:n romanticise:p romanticize:p root:n "
        "rotate rub ruin:n rule:n rush:n ",
    ['s' - 'a'] =
        " sabotage:n sack:n sacrifice:n saddle:n salt:n salute sample:n sand:n "
        "sandbox:n sanitise sanitize satisfy sauce:n saute save scald scale:n scam:n "
        "scan:n scare:np scatter schedule:n scheme:in scold scoop:n score:n scour "
        "scramble scrape scratch:n scream:in screen:n screenshot:n script:n scrub:n "
        "sculpt seal:n sear search:n season:n secure seduce segregate seize select "
        "self-publish sensationalise sensationalize separate sequence:n serve settle "
        "sext sexualise sexualize shackle:n shadow:n shame:np shape:n share:np "
        "sharpen shatter shave:n shelter:n shield:n shift:n ship:n shop:in shoplift "
        "shorten shout:in shovel:n shred:n shun sideload sift sign:n signal:n "
        "silence:n simmer simplify simulate siphon skate:in sketch:n ski:in skim:n "
        "skin:n skip:n slander:np slap:n slash:n slaughter:n slice:n slim slip:n slow "
        "smear:np smelt smile:in smoke:n smooth smother smuggle snare:n snatch "
        "sneer:in sniff:n snoop:i snort:n soak:n socialise:i socialize:i soften "
        "solder:n solicit solve soothe sort:n sound:n source:n spam:n spank:n spark:n "
        "specialise:i specialize:i specify spike:n splash:n splice:n sponsor:n "
        "spoof:n spoon:n spot:n spray:n sprinkle sprout:n spy:in squash:n squat:in "
        "squeeze:n stab:n stabilise stabilize stack:n staff:n stage:n stain:n stalk:n "
        "stamp:n staple:n starch:n stare:in stargaze:i start:n startle starve "
        "state:np station:n stay:in steam:n steep steer:n step:in stereotype:np "
        "sterilise sterilize stifle stigmatise:p stigmatize:p stimulate stir:n "
        "stitch:n stock:n stockpile:n stop:n store:n storyboard:n straighten strain:n "
        "strangle stream:n streamline strengthen stress:n stretch:n strip:n "
        "structure:n struggle:in study:n stuff:n stutter:n style:n subdue submerge "
        "submit:d subscribe:i substitute:n subvert:p succeed:i sue suffer:i suffocate "
        "suggest:p summarise:p summarize:p supply:n support:np suppose suppress "
        "surf:in surprise:n surrender:n surround surveil:d survey:n survive suspect:n "
        "suspend sustain swaddle swallow swap:n swat:n sway:n sweat:in sweeten "
        "swerve:in swindle switch:n sympathise:i sympathize:i synchronise synchronize "
        "synthesise synthesize systematise systematize ",
    ['t' - 'a'] =
        " tabulate tack:n tackle tag:n tailor:n taint talk:in tally:n tame:n tamper:i "
        "tan:n target:np taste:n tattoo:n taunt:np tax:n tease telephone:n tempt:p "
        "tend:i tenderise tenderize terminate terrorise terrorize test:n testify:i "
        "tether:n text:n thank thaw thicken thread:n threaten:p thresh thrive:i "
        "throttle tidy tie:n tighten tile:n till tilt:n time:n tip:n toast:n toddle:i "
        "toggle tolerate tone:n top:n torch:n torment:n torture:n toss:n touch:n "
        "tour:n trace:n track:np trade:n traffic:k trail:n train:n transcribe "
        "transfer:dn transform transition:in translate transmit:d transplant:n "
        "transport:n trap:n travel:in trawl:n treat:n tremble:i trespass:in "
        "triangulate trick:np trigger:n trim:n triple trivialise:p trivialize:p "
        "troll:n trust:n try tuck tune:n tunnel:n turn:n tutor:n tweet:n twist:n "
        "type:n ",
    ['u' - 'a'] =
        " unclog:d uncover underclock undermine:p underreport understate undervalue "
        "unfold uninstall unite unleash unload unlock unmask unpack unplug unscrew "
        "untangle update:n upgrade:n upload:n urge:np use:np utilise utilize ",
    ['v' - 'a'] =
        " vacuum:n validate vandalise vandalize vaporise vaporize varnish:n vary "
        "ventilate verify videotape:n view:n vilify:p violate virtualise virtualize "
        "vish visit:n visualise visualize vlog:in volunteer:in vote:in ",
    ['w' - 'a'] =
        " wait:in walk:n wander:i want warm warn:p wash waste:n watch:n water:n "
        "waterboard waterproof wax:n weaken wean weaponise weaponize weed:n weigh "
        "welcome:n weld whale:n wheedle whip:n whisk:n whisper:n whistle:in whiten "
        "whittle widen wield wiggle wilt:i winnow winterise winterize wipe:n wire:n "
        "wiretap:dn wish:n witness:n wonder:i work:in worry:in worship:np wound:n "
        "wrap:n wreck:n wrestle:i ",
    ['x' - 'a'] = "  ",
    ['y' - 'a'] = " yell:in yield:n ",
    ['z' - 'a'] = " zest:n zip:n zoom:in ",
};
